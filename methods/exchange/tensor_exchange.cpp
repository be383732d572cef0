#include "methods/exchange/tensor_exchange.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <set>

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <torch/utils.h>

#include "base/error.h"

namespace lacuna::methods {
namespace {

constexpr std::array kTypes = {
    std::pair{DType::kF64, at::kDouble}, std::pair{DType::kF32, at::kFloat},
    std::pair{DType::kF16, at::kHalf},   std::pair{DType::kBF16, at::kBFloat16},
    std::pair{DType::kI64, at::kLong},   std::pair{DType::kI32, at::kInt},
    std::pair{DType::kI16, at::kShort},  std::pair{DType::kU8, at::kByte},
    std::pair{DType::kBool, at::kBool},
};

at::Tensor copy_of(const TensorView& view) {
  const auto type = std::find_if(kTypes.begin(), kTypes.end(),
                                 [&](const auto& each) { return each.first == view.type; });
  at::Tensor tensor = at::empty(view.shape, type->second);
  if (!view.bytes.empty()) std::memcpy(tensor.data_ptr(), view.bytes.data(), view.bytes.size());
  return tensor;
}

std::map<std::string, at::Tensor> tensors_of(Method& method) {
  std::map<std::string, at::Tensor> tensors;
  for (const auto& item : method.module().named_parameters()) tensors[item.key()] = item.value();
  for (const auto& item : method.module().named_buffers()) tensors[item.key()] = item.value();
  return tensors;
}

// At most five names: a wrong file would list hundreds.
std::string some(const std::vector<std::string>& names) {
  const auto shown = static_cast<std::ptrdiff_t>(std::min<std::size_t>(5, names.size()));
  return fmt::format("{}{}", fmt::join(names.begin(), names.begin() + shown, ", "),
                     names.size() > 5 ? fmt::format(" and {} more", names.size() - 5) : "");
}

}  // namespace

at::Tensor read_tensor(const TensorFile& file, const Path& path, const std::string& name) {
  const TensorView* view = file.find(name);
  if (view == nullptr) {
    std::vector<std::string> names;
    for (const TensorView& each : file.tensors()) names.push_back(each.name);
    throw_error<DataError>("{}: holds no tensor \"{}\", only: {}", path.string(), name,
                           some(names));
  }
  return copy_of(*view);
}

void write_tensors(const Path& path,
                   const std::vector<std::pair<std::string, at::Tensor>>& tensors) {
  std::vector<at::Tensor> kept;
  std::vector<TensorView> views;
  for (const auto& [name, tensor] : tensors) {
    kept.push_back(tensor.detach().cpu().contiguous());
    const at::Tensor& host = kept.back();
    const auto type = std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& each) {
      return each.second == host.scalar_type();
    });
    views.push_back({name,
                     type->first,
                     host.sizes().vec(),
                     {static_cast<const std::byte*>(host.const_data_ptr()), host.nbytes()}});
  }
  write_durably(posix_file_system(), path, encode_tensors(views));
}

ImportReport import_weights(Method& method, const Path& path) {
  const TensorFile file(path);
  const auto ours = tensors_of(method);
  const auto ignored = method.ignored_official_names();
  ImportReport report;
  std::vector<std::string> missing, unexpected;
  for (const auto& [name, tensor] : ours) {
    if (file.find(name) == nullptr) missing.push_back(name);
  }
  for (const TensorView& view : file.tensors()) {
    const auto own = ours.find(view.name);
    if (own == ours.end()) {
      const bool known = std::any_of(ignored.begin(), ignored.end(), [&](const auto& prefix) {
        return view.name.starts_with(prefix);
      });
      (known ? report.ignored : unexpected).push_back(view.name);
    } else if (own->second.sizes() != at::IntArrayRef(view.shape)) {
      throw_error<DataError>("{}: {} has shape {}, the network needs {}. Is model.width the same?",
                             path.string(), view.name, fmt::join(view.shape, "x"),
                             fmt::join(own->second.sizes().vec(), "x"));
    }
  }
  if (!missing.empty() || !unexpected.empty()) {
    throw_error<DataError>(
        "{}: not the weights of this method: {} tensors missing ({}), {} unexpected ({}). Strip "
        "prefixes such as \"module.\" from the names when saving.",
        path.string(), missing.size(), some(missing), unexpected.size(), some(unexpected));
  }
  const torch::NoGradGuard no_grad;
  for (auto [name, tensor] : ours) tensor.copy_(copy_of(*file.find(name)));
  report.loaded = static_cast<std::int64_t>(ours.size());
  method.invalidate_evaluation_cache();
  return report;
}

}  // namespace lacuna::methods
