// Operators of the pretend device: torch's CPU kernels over the same bytes.
#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <unordered_map>

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/native/Resize.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/resize_native.h>
#include <ATen/ops/set_cpu_dispatch.h>
#include <ATen/ops/view_native.h>
#include <torch/library.h>

#include "tests/device/pretend_memory.h"

namespace lacuna::pretend {
namespace {

using c10::IValue;
using torch::jit::Stack;

// CPU tensors over the bytes of device tensors. One storage per storage, so that what shares
// memory there shares it here.
class Twins {
 public:
  at::Tensor of(const at::Tensor& tensor) {
    if (!tensor.defined() || !tensor.is_privateuseone()) return tensor;
    auto& storage = storages_[tensor.storage().unsafeGetStorageImpl()];
    if (!storage) {
      storage = c10::make_intrusive<c10::StorageImpl>(
          c10::StorageImpl::use_byte_size_t(), tensor.storage().nbytes(),
          c10::DataPtr(host_view(tensor.storage().mutable_data()), c10::Device(c10::kCPU)),
          /*allocator=*/nullptr, /*resizable=*/false);
      owners_[storage.get()] = tensor;
    }
    at::Tensor twin = at::detail::make_tensor<c10::TensorImpl>(
        c10::Storage(storage), c10::DispatchKeySet(c10::DispatchKey::CPU), tensor.dtype());
    c10::TensorImpl* made = twin.unsafeGetTensorImpl();
    made->set_storage_offset(tensor.storage_offset());
    made->set_sizes_and_strides(tensor.sizes(), tensor.strides());
    if (tensor.unsafeGetTensorImpl()->is_wrapped_number()) made->set_wrapped_number(true);
    originals_.emplace(made, tensor);
    kept_.push_back(twin);
    return twin;
  }

  // A result in the memory of an argument that is not that argument.
  bool is_view(const at::Tensor& result) const {
    return result.defined() && result.is_cpu() &&
           !originals_.contains(result.unsafeGetTensorImpl()) &&
           owners_.contains(result.storage().unsafeGetStorageImpl());
  }

  // The device's tensor for a result: an argument, a view of one, or a new one.
  at::Tensor back(const at::Tensor& result) {
    if (!result.defined() || !result.is_cpu()) return result;
    const auto same = originals_.find(result.unsafeGetTensorImpl());
    if (same != originals_.end()) return same->second;
    const auto owner = owners_.find(result.storage().unsafeGetStorageImpl());
    if (owner != owners_.end()) {
      return at::native::as_strided_tensorimpl(owner->second, result.sizes(), result.strides(),
                                               result.storage_offset());
    }
    at::Tensor there =
        at::empty_strided(result.sizes(), result.strides(), result.options().device(kDevice));
    if (result.is_non_overlapping_and_dense()) {
      std::memcpy(host_view(there.mutable_data_ptr()), result.const_data_ptr(), result.nbytes());
    } else {
      Twins().of(there).copy_(result);
    }
    return there;
  }

 private:
  std::unordered_map<c10::StorageImpl*, c10::intrusive_ptr<c10::StorageImpl>> storages_;
  std::unordered_map<c10::StorageImpl*, at::Tensor> owners_;
  std::unordered_map<c10::TensorImpl*, at::Tensor> originals_;
  std::vector<at::Tensor> kept_;
};

// CPU kernels warn about results that torch has resized: not of interest here.
struct Quiet final : c10::WarningHandler {
  void process(const c10::Warning&) override {}
};

// Below autograd and autocast, on CPU tensors: the inside of a kernel.
class InKernel {
 public:
  InKernel() { c10::WarningUtils::set_warning_handler(&quiet()); }
  ~InKernel() { c10::WarningUtils::set_warning_handler(before_); }
  InKernel(const InKernel&) = delete;
  InKernel& operator=(const InKernel&) = delete;

 private:
  static Quiet& quiet() {
    static thread_local Quiet handler;
    return handler;
  }
  c10::WarningHandler* before_ = c10::WarningUtils::get_warning_handler();
  at::AutoDispatchBelowADInplaceOrView no_autograd_;
  c10::impl::ExcludeDispatchKeyGuard no_autocast_{c10::autocast_dispatch_keyset};
};

// Where CUDA, too, takes a tensor of the host beside its own.
bool host_tensor_allowed(const std::string& name, const at::Tensor& tensor) {
  static const std::set<std::string> kByIndices{"aten::index", "aten::index_put_",
                                                "aten::_index_put_impl_", "aten::_unsafe_index"};
  return tensor.dim() == 0 || kByIndices.contains(name);
}

// The shape of the result depends on values: CUDA waits for them.
bool waits_for_its_shape(const std::string& name) {
  static const std::set<std::string> kNames{
      "aten::nonzero",    "aten::masked_select",      "aten::_unique2",
      "aten::unique_dim", "aten::unique_consecutive", "aten::repeat_interleave",
      "aten::bincount"};
  return kNames.contains(name);
}

template <typename Use>
void each_tensor(IValue& value, const Use& use) {
  if (value.isTensor()) {
    if (value.toTensor().defined()) value = use(value.toTensor());
  } else if (value.isTensorList()) {
    auto list = value.toTensorVector();
    for (auto& tensor : list) tensor = use(tensor);
    value = list;
  } else if (value.isOptionalTensorList()) {
    auto list = value.toOptionalTensorVector();
    for (auto& tensor : list) {
      if (tensor && tensor->defined()) tensor = use(*tensor);
    }
    value = list;
  }
}

// `op` is what runs, under the name of `called`.
void run_on_twins(const c10::OperatorHandle& called, const c10::OperatorHandle& op, Stack* stack) {
  const auto& schema = op.schema();
  const std::string name = called.schema().name();
  launched(name);
  const std::size_t count = schema.arguments().size(), begin = stack->size() - count;
  Twins twins;
  std::vector<std::pair<at::Tensor, at::Tensor>> grown;  // an empty out=, and what stands for it
  for (std::size_t i = 0; i < count; ++i) {
    IValue& value = (*stack)[begin + i];
    const auto& argument = schema.arguments()[i];
    const bool written = argument.alias_info() && argument.alias_info()->isWrite();
    each_tensor(value, [&](const at::Tensor& tensor) -> at::Tensor {
      if (tensor.is_cpu()) {
        TORCH_CHECK(host_tensor_allowed(name, tensor), name, ": argument ", argument.name(),
                    " is in host memory, the others are on ", kDevice,
                    " (expected all tensors to be on the same device)");
        return tensor;
      }
      if (written && tensor.numel() == 0) {
        grown.emplace_back(tensor, at::empty({0}, tensor.options().device(at::kCPU)));
        return grown.back().second;
      }
      return twins.of(tensor);
    });
    if (value.isDevice() && value.toDevice().is_privateuseone()) value = at::Device(at::kCPU);
    if (argument.name() == "generator") {
      const at::Generator generator = value.isNone() ? default_generator() : value.toGenerator();
      TORCH_CHECK(generator.device().is_privateuseone(), name, ": expected a generator of ",
                  kDevice, " but found one of ", generator.device());
      value = inner_generator(generator);
    }
  }
  {
    const InKernel in_kernel;
    op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
  }
  const std::size_t results = schema.returns().size();
  bool only_views = results > 0;
  for (std::size_t i = stack->size() - results; i < stack->size(); ++i) {
    IValue& value = (*stack)[i];
    if (value.isScalar() || value.isBool()) wait(name + " returns a number");
    each_tensor(value, [&](const at::Tensor& result) -> at::Tensor {
      for (auto& [original, stand_in] : grown) {
        if (!result.is_same(stand_in)) continue;
        original.resize_(result.sizes());
        if (result.numel() > 0) twins.of(original).copy_(result);
        return original;
      }
      only_views = only_views && twins.is_view(result);
      return twins.back(result);
    });
  }
  if (only_views) not_launched(name);
  if (waits_for_its_shape(name)) wait(name + ": its shape depends on values");
}

void any_operator(const c10::OperatorHandle& op, Stack* stack) { run_on_twins(op, op, stack); }

c10::OperatorHandle find(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "");
}

// cuDNN wants its operands in one layout: what torch converts inside a convolution.
void count_relayouts(const at::Tensor& weight, std::initializer_list<at::Tensor> others) {
  constexpr auto kLast = at::MemoryFormat::ChannelsLast3d;
  if (weight.dim() != 5) return;
  bool last = weight.suggest_memory_format() == kLast;
  for (const at::Tensor& each : others) last = last || each.suggest_memory_format() == kLast;
  const auto wanted = last ? kLast : at::MemoryFormat::Contiguous;
  const auto count = [&](const at::Tensor& each) {
    if (each.is_contiguous(wanted)) return;
    ++figures().relayouts;
    launched("relayout in a convolution");
  };
  count(weight);
  for (const at::Tensor& each : others) count(each);
}

void convolution(const c10::OperatorHandle& op, Stack* stack) {
  static const auto real = find("aten::convolution");
  const std::size_t begin = stack->size() - op.schema().arguments().size();
  count_relayouts((*stack)[begin + 1].toTensor(), {(*stack)[begin].toTensor()});
  run_on_twins(op, real, stack);
}

// Arguments: grad_output, input, weight, stride, ...; the general operator has the bias's sizes
// after the weight.
void convolution_backward(const c10::OperatorHandle& op, Stack* stack) {
  static const auto real = find("aten::convolution_backward");
  const std::size_t begin = stack->size() - op.schema().arguments().size();
  const at::Tensor weight = (*stack)[begin + 2].toTensor();
  const bool transposed = (*stack)[begin + 6].toBool();
  const std::int64_t out = transposed ? weight.size(1) : weight.size(0);
  count_relayouts(weight, {(*stack)[begin].toTensor(), (*stack)[begin + 1].toTensor()});
  stack->insert(stack->begin() + static_cast<std::ptrdiff_t>(begin) + 3,
                IValue(std::vector<std::int64_t>{out}));
  run_on_twins(op, real, stack);
}

// CUDA's kernel takes contiguous memory alone, and torch makes it so.
void contiguous_first(const c10::OperatorHandle& op, Stack* stack) {
  const std::size_t begin = stack->size() - op.schema().arguments().size();
  for (std::size_t i = 0; i < op.schema().arguments().size(); ++i) {
    IValue& value = (*stack)[begin + i];
    if (!value.isTensor() || !value.toTensor().defined() || value.toTensor().is_contiguous())
      continue;
    value = value.toTensor().contiguous();  // counted as a relayout
  }
  run_on_twins(op, op, stack);
}

at::Tensor empty_strided(at::IntArrayRef size, at::IntArrayRef stride,
                         std::optional<at::ScalarType> type, std::optional<at::Layout>,
                         std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, &device_allocator(),
                                           c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                           c10::dtype_or_default(type));
}

at::Tensor empty(at::IntArrayRef size, std::optional<at::ScalarType> type,
                 std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>,
                 std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, &device_allocator(),
                                   c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                   c10::dtype_or_default(type), format);
}

at::Tensor as_strided(const at::Tensor& self, at::IntArrayRef size, at::IntArrayRef stride,
                      std::optional<std::int64_t> offset) {
  return at::native::as_strided_tensorimpl(self, size, stride, offset);
}
at::Tensor view(const at::Tensor& self, at::IntArrayRef size) {
  return at::native::view(self, size);
}
at::Tensor reshape_alias(const at::Tensor& self, at::IntArrayRef size, at::IntArrayRef stride) {
  return at::native::_reshape_alias(self, size, stride);
}
const at::Tensor& resize(const at::Tensor& self, at::IntArrayRef size,
                         std::optional<at::MemoryFormat> format) {
  return at::native::resize_(self, size, format);
}
at::Tensor& set_storage(at::Tensor& self, at::Storage source, std::int64_t offset,
                        at::IntArrayRef size, at::IntArrayRef stride) {
  return at::cpu::set_(self, source, offset, size, stride);
}

at::Scalar local_scalar(const at::Tensor& self) {
  ++figures().to_host;
  figures().to_host_bytes += static_cast<std::int64_t>(self.nbytes());
  wait(".item()");
  Twins twins;
  const InKernel in_kernel;
  return at::_local_scalar_dense(twins.of(self));
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool non_blocking) {
  Counts& count = figures();
  {
    Twins twins;
    const InKernel in_kernel;
    twins.of(to).copy_(twins.of(from));
  }
  if (from.is_privateuseone() && to.is_privateuseone()) {
    launched("copy within the device");
    if (from.scalar_type() != to.scalar_type()) {
      ++count.casts;
    } else if (from.strides() != to.strides() && from.sizes() == to.sizes()) {
      ++count.relayouts;
    }
    return to;
  }
  const bool up = to.is_privateuseone();
  const at::Tensor& host = up ? from : to;
  (up ? count.to_device : count.to_host) += 1;
  (up ? count.to_device_bytes : count.to_host_bytes) += static_cast<std::int64_t>(to.nbytes());
  const bool pinned = is_pinned(host.const_data_ptr());
  if (!pinned) ++count.pageable;
  if (!pinned || !non_blocking) {
    wait(std::string(up ? "copy to the device" : "copy to the host") +
         (pinned ? ", pinned, asked to wait" : ", pageable"));
  } else if (up) {
    in_flight(from);
  }
  return to;
}

at::Tensor copy_from_and_resize(const at::Tensor& from, const at::Tensor& to) {
  if (to.sizes() != from.sizes()) to.resize_(from.sizes());
  return copy_from(from, to, false);
}

}  // namespace

TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&any_operator>());
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", TORCH_FN(empty));
  library.impl("empty_strided", TORCH_FN(empty_strided));
  library.impl("as_strided", TORCH_FN(as_strided));
  library.impl("view", TORCH_FN(view));
  library.impl("_reshape_alias", TORCH_FN(reshape_alias));
  library.impl("resize_", TORCH_FN(resize));
  library.impl("set_.source_Storage_storage_offset", TORCH_FN(set_storage));
  library.impl("_local_scalar_dense", TORCH_FN(local_scalar));
  library.impl("_copy_from", TORCH_FN(copy_from));
  library.impl("_copy_from_and_resize", TORCH_FN(copy_from_and_resize));
  // A launch for a list on CUDA; composite kernels would make a call of each tensor.
  for (const char* name : {"_foreach_norm.Scalar", "_foreach_add_.Scalar", "_foreach_add_.List",
                           "_foreach_mul_.Scalar", "_foreach_mul_.Tensor", "_foreach_zero_",
                           "_foreach_lerp_.Scalar", "_foreach_copy_"}) {
    library.impl(name, torch::CppFunction::makeFromBoxedFunction<&any_operator>());
  }
  for (const char* name : {"native_group_norm", "native_group_norm_backward"}) {
    library.impl(name, torch::CppFunction::makeFromBoxedFunction<&contiguous_first>());
  }
  library.impl("convolution_overrideable",
               torch::CppFunction::makeFromBoxedFunction<&convolution>());
  library.impl("convolution_backward_overrideable",
               torch::CppFunction::makeFromBoxedFunction<&convolution_backward>());
}

TORCH_LIBRARY_IMPL(_, AutocastPrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFallthrough());
}

}  // namespace lacuna::pretend

namespace at {  // torch's macros name types of this namespace

TORCH_LIBRARY_IMPL(aten, AutocastPrivateUse1, m) {  // CUDA's lists
#define LACUNA_LOW(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, lower_precision_fp)
#define LACUNA_FP32(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, fp32)
#define LACUNA_SET(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, fp32_set_opt_dtype)
#define LACUNA_PROMOTE(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, promote)
  AT_FORALL_LOWER_PRECISION_FP(LACUNA_LOW)
  AT_FORALL_FP32(LACUNA_FP32)
  AT_FORALL_FP32_SET_OPT_DTYPE(LACUNA_SET)
  AT_FORALL_DIFFERENT_REDISPATCH_SIGNATURE(KERNEL_DIFFERENT_REDISPATCH_SIGNATURE_PRIVATEUSEONE)
  AT_FORALL_PROMOTE(LACUNA_PROMOTE)
}

}  // namespace at
