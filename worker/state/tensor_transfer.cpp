#include "worker/state/tensor_transfer.h"

#include <algorithm>
#include <cstring>

#include <fmt/ranges.h>
#include <torch/types.h>

#include "base/error.h"
#include "base/files/tensor_file.h"

namespace lacuna::worker {
namespace {

DType file_type(const std::string& name, const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kDouble:
      return DType::kF64;
    case at::kFloat:
      return DType::kF32;
    case at::kHalf:
      return DType::kF16;
    case at::kBFloat16:
      return DType::kBF16;
    case at::kLong:
      return DType::kI64;
    case at::kInt:
      return DType::kI32;
    case at::kShort:
      return DType::kI16;
    case at::kByte:
      return DType::kU8;
    case at::kBool:
      return DType::kBool;
    default:
      throw_error<Error>("tensor {}: type {} cannot be stored in a checkpoint", name,
                         c10::toString(tensor.scalar_type()));
  }
}

}  // namespace

NamedTensors copy_to_host(const NamedTensors& tensors) {
  NamedTensors copies;
  copies.reserve(tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const auto options = tensor.options().device(at::kCPU).requires_grad(false);
    at::Tensor copy = at::empty(tensor.sizes(), options, at::MemoryFormat::Contiguous);
    copy.copy_(tensor.detach());
    copies.emplace_back(name, copy);
  }
  return copies;
}

std::vector<std::byte> encode(const NamedTensors& host_tensors) {
  std::vector<TensorView> views;
  views.reserve(host_tensors.size());
  for (const auto& [name, tensor] : host_tensors) {
    const auto* data = static_cast<const std::byte*>(tensor.const_data_ptr());
    views.push_back({name, file_type(name, tensor), tensor.sizes().vec(), {data, tensor.nbytes()}});
  }
  return encode_tensors(views);
}

void load_into(const NamedTensors& tensors, const Path& path) {
  at::NoGradGuard no_grad;
  const TensorFile file(path);
  for (const auto& [name, tensor] : tensors) {
    const TensorView* view = file.find(name);
    if (!view) throw_error<DataError>("{}: tensor {} is missing", path.string(), name);
    if (view->type != file_type(name, tensor) || view->shape != tensor.sizes().vec()) {
      throw_error<DataError>("{}: tensor {} is {} [{}], this run needs {} [{}]", path.string(),
                             name, safetensors_name(view->type), fmt::join(view->shape, ","),
                             safetensors_name(file_type(name, tensor)),
                             fmt::join(tensor.sizes().vec(), ","));
    }
    // Through memory of our own: a mapped tensor need not be aligned for its type.
    at::Tensor host =
        at::empty(tensor.sizes(), tensor.options().device(at::kCPU), at::MemoryFormat::Contiguous);
    std::memcpy(host.data_ptr(), view->bytes.data(), view->bytes.size());
    tensor.detach().copy_(host);
  }
  if (file.tensors().size() == tensors.size()) return;
  for (const TensorView& view : file.tensors()) {
    const bool known = std::any_of(tensors.begin(), tensors.end(),
                                   [&](const auto& each) { return each.first == view.name; });
    if (!known) {
      throw_error<DataError>("{}: tensor {} is not one of this run", path.string(), view.name);
    }
  }
}

}  // namespace lacuna::worker
