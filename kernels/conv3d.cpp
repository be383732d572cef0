#include "kernels/conv3d.h"

#include <array>
#include <optional>
#include <vector>

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <ATen/native/ConvUtils.h>
#include <ATen/ops/conv3d.h>
#include <ATen/ops/mkldnn_convolution.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/once_differentiable.h"

namespace lacuna::kernels {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Steps = std::vector<std::int64_t>;

constexpr std::int64_t kLeftToTorch = 20480;  // elements in C x D x H above which it asks oneDNN

// What at::convolution_backward calls where torch asks oneDNN by itself. It is no public operator:
// null in a torch that does not have it.
at::native::mkldnn_convolution_backward_fn one_dnn_backward() {
  return decltype(at::native::mkldnn_convolution_backward_stub)::DEFAULT;
}

bool torch_would_unfold(const Tensor& x, const Tensor& weight) {
  return x.dim() == 5 && x.size(0) == 1 && x.size(1) * x.size(2) * x.size(3) <= kLeftToTorch &&
         x.device().is_cpu() && x.scalar_type() == at::kFloat &&
         weight.scalar_type() == at::kFloat &&
         weight.size(2) * weight.size(3) * weight.size(4) > 1 && x.numel() > 0 &&
         at::globalContext().userEnabledMkldnn() && at::hasMKLDNN() &&
         one_dnn_backward() != nullptr && !at::autocast::is_autocast_enabled(at::kCPU);
}

// oneDNN's weight gradients in bf16 hold whatever lay in memory where the kernel reaches over a
// whole axis of the image (3x3x3 on two slices, a dilation of 8 on a map of 5); some are written
// past their end. Seen with torch 2.11 on a CPU with avx512_bf16.
bool short_type_is_broken(const Tensor& x, const Tensor& weight, at::IntArrayRef dilation) {
  const bool autocast = at::autocast::is_autocast_enabled(at::kCPU);
  if (!x.device().is_cpu() || !(autocast || x.scalar_type() == at::kBFloat16)) return false;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto i = static_cast<std::int64_t>(axis) + 2;
    const std::int64_t step = dilation[dilation.size() == 1 ? 0 : axis];
    if (x.size(i) < step * (weight.size(i) - 1) + 1) return true;
  }
  return false;
}

Tensor conv3d_in_float(const Tensor& x, const Tensor& weight, const Tensor& bias,
                       at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation) {
  const bool was_on = at::autocast::is_autocast_enabled(at::kCPU);
  at::autocast::set_autocast_enabled(at::kCPU, false);
  const auto wide = [](const Tensor& t) { return t.defined() ? t.to(at::kFloat) : t; };
  const Tensor y =
      at::conv3d(wide(x), wide(weight), wide(bias), stride, padding, dilation).to(at::kBFloat16);
  at::autocast::set_autocast_enabled(at::kCPU, was_on);
  return y;
}

at::MemoryFormat layout_of(const Tensor& x, const Tensor& weight) {
  const auto last = at::MemoryFormat::ChannelsLast3d;
  const bool wanted = x.suggest_memory_format() == last || weight.suggest_memory_format() == last;
  return wanted ? last : at::MemoryFormat::Contiguous;
}

class OneDnnConv : public torch::autograd::Function<OneDnnConv> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        const std::optional<Tensor>& bias, const Steps& stride,
                        const Steps& padding, const Steps& dilation) {
    const at::MemoryFormat layout = layout_of(x, weight);
    const Tensor image = x.contiguous(layout), kernel = weight.contiguous(layout);
    context->save_for_backward({image, kernel});
    context->saved_data["stride"] = stride;
    context->saved_data["padding"] = padding;
    context->saved_data["dilation"] = dilation;
    context->saved_data["bias"] = bias.has_value();
    return at::mkldnn_convolution(image, kernel, bias, padding, stride, dilation, /*groups=*/1);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    refuse_second_derivative("convolution of a single sample");
    const auto saved = context->get_saved_variables();
    const auto steps = [&](const char* name) { return context->saved_data[name].toIntVector(); };
    const bool has_bias = context->saved_data["bias"].toBool();
    const std::array<bool, 3> wanted{context->needs_input_grad(0), context->needs_input_grad(1),
                                     has_bias && context->needs_input_grad(2)};
    const auto [x, weight, bias] = one_dnn_backward()(
        saved[0], grads[0].contiguous(layout_of(saved[0], saved[1])), saved[1], steps("padding"),
        steps("stride"), steps("dilation"), /*groups=*/1, wanted);
    return {x, weight, bias, {}, {}, {}};
  }
};

}  // namespace

Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias, at::IntArrayRef stride,
              at::IntArrayRef padding, at::IntArrayRef dilation) {
  if (x.dim() == 5 && x.scalar_type() != at::kDouble && short_type_is_broken(x, weight, dilation)) {
    return conv3d_in_float(x, weight, bias, stride, padding, dilation);
  }
  if (!torch_would_unfold(x, weight)) return at::conv3d(x, weight, bias, stride, padding, dilation);
  const auto each_axis = [](at::IntArrayRef steps) {
    return steps.size() == 1 ? Steps(3, steps[0]) : steps.vec();
  };
  return OneDnnConv::apply(x, weight, bias.defined() ? std::optional(bias) : std::nullopt,
                           each_axis(stride), each_axis(padding), each_axis(dilation));
}

}  // namespace lacuna::kernels
