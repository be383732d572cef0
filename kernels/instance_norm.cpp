#include "kernels/instance_norm.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <ATen/Dispatch.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/instance_norm.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include "base/error.h"
#include "kernels/instance_norm_cpu.h"
#include "kernels/once_differentiable.h"

namespace lacuna::kernels {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Recovering the normalised value from y loses precision where |weight| is small beside |bias| (or
// 1): beyond this ratio the input is kept instead. 64 costs at most 64 roundings, 4e-6 in float.
constexpr double kLargestRatio = 64;

template <typename Scalar>
bool recoverable(const Tensor& weight, const Tensor& bias) {
  const Scalar* gamma = weight.const_data_ptr<Scalar>();
  const Scalar* beta = bias.const_data_ptr<Scalar>();
  bool all = true;
  for (std::int64_t c = 0; c < weight.numel(); ++c) {
    all &= std::abs(gamma[c]) * kLargestRatio >= std::max<Scalar>(1, std::abs(beta[c]));
  }
  return all;
}

at::MemoryFormat layout_of(const Tensor& x) {
  const bool last =
      !x.is_contiguous() && x.dim() == 5 && x.is_contiguous(at::MemoryFormat::ChannelsLast3d);
  return last ? at::MemoryFormat::ChannelsLast3d : at::MemoryFormat::Contiguous;
}

NormShape shape_of(const Tensor& x, at::MemoryFormat layout) {
  const std::int64_t rows = x.size(0) * x.size(1);
  return {x.size(0), x.size(1), rows == 0 ? 0 : x.numel() / rows,
          layout == at::MemoryFormat::ChannelsLast3d};
}

at::ScalarType scalar_of(const Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

#define LACUNA_DISPATCH(type, name, ...)                                         \
  AT_DISPATCH_SWITCH(type, name,                                                 \
                     AT_DISPATCH_CASE(at::kFloat, __VA_ARGS__) AT_DISPATCH_CASE( \
                         at::kDouble, __VA_ARGS__) AT_DISPATCH_CASE(at::kBFloat16, __VA_ARGS__))

struct Fused : public torch::autograd::Function<Fused> {
  // weight and bias: both or neither.
  static Tensor forward(AutogradContext* context, const Tensor& given,
                        const std::optional<Tensor>& weight, const std::optional<Tensor>& bias,
                        const std::optional<Tensor>& residual, double eps, double slope) {
    const at::MemoryFormat layout = layout_of(given);
    const Tensor x = given.contiguous(layout);
    const Tensor added = residual ? residual->contiguous(layout) : Tensor();
    const auto plain = x.options().dtype(scalar_of(x));
    const Tensor gamma =
        weight ? weight->to(scalar_of(x)).contiguous() : at::ones({x.size(1)}, plain);
    const Tensor beta = bias ? bias->to(scalar_of(x)).contiguous() : at::zeros({x.size(1)}, plain);
    const Tensor y = at::empty_like(x, layout);
    const Tensor mean = at::empty({x.size(0), x.size(1)}, gamma.options());
    const Tensor inverse_std = at::empty_like(mean);
    const NormShape shape = shape_of(x, layout);
    if (x.numel() > 0) {
      LACUNA_DISPATCH(x.scalar_type(), "instance_norm", [&] {
        using Scalar = typename Simd<scalar_t>::Scalar;
        NormForward<scalar_t> work;
        work.input = x.const_data_ptr<scalar_t>();
        if (added.defined()) work.residual = added.const_data_ptr<scalar_t>();
        work.weight = gamma.const_data_ptr<Scalar>();
        work.bias = beta.const_data_ptr<Scalar>();
        work.eps = static_cast<Scalar>(eps);
        work.slope = static_cast<Scalar>(slope);
        work.output = y.mutable_data_ptr<scalar_t>();
        work.mean = mean.mutable_data_ptr<Scalar>();
        work.inverse_std = inverse_std.mutable_data_ptr<Scalar>();
        shape.channels_last ? norm_forward_channels_last(shape, work)
                            : norm_forward_planes(shape, work);
      });
    }
    const bool simple = !added.defined() && shape.voxels > 1 && slope > 0;
    const bool from_output =
        simple && (x.scalar_type() == at::kFloat    ? recoverable<float>(gamma, beta)
                   : x.scalar_type() == at::kDouble ? recoverable<double>(gamma, beta)
                                                    : false);
    context->save_for_backward({y, from_output ? Tensor() : x, weight.value_or(Tensor()),
                                bias.value_or(Tensor()), mean, inverse_std});
    context->saved_data["slope"] = slope;
    context->saved_data["residual"] = added.defined();
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    refuse_second_derivative("fused instance norm");
    const variable_list saved = context->get_saved_variables();
    const Tensor &y = saved[0], &x = saved[1], &weight = saved[2], &bias = saved[3];
    const Tensor &mean = saved[4], &inverse_std = saved[5];
    const at::MemoryFormat layout = layout_of(y);
    const Tensor grad = grads[0].contiguous(layout);
    const auto plain = mean.options();
    const Tensor gamma =
        weight.defined() ? weight.to(mean.scalar_type()) : at::ones({mean.size(1)}, plain);
    const Tensor beta =
        bias.defined() ? bias.to(mean.scalar_type()) : at::zeros({mean.size(1)}, plain);
    const bool has_residual = context->saved_data["residual"].toBool();

    const Tensor shift = x.defined() ? mean : beta.expand_as(mean).contiguous();
    const Tensor scale =
        x.defined() ? inverse_std : gamma.reciprocal().expand_as(mean).contiguous();
    const Tensor factor = inverse_std * gamma;
    const Tensor grad_input = at::empty_like(y, layout);
    const Tensor grad_residual = has_residual ? at::empty_like(y, layout) : Tensor();
    const Tensor grad_weight = at::zeros_like(mean), grad_bias = at::zeros_like(mean);
    if (y.numel() > 0) {
      LACUNA_DISPATCH(y.scalar_type(), "instance_norm_backward", [&] {
        using Scalar = typename Simd<scalar_t>::Scalar;
        NormBackward<scalar_t> work;
        work.grad = grad.const_data_ptr<scalar_t>();
        work.output = y.const_data_ptr<scalar_t>();
        if (x.defined()) work.input = x.const_data_ptr<scalar_t>();
        work.shift = shift.const_data_ptr<Scalar>();
        work.scale = scale.const_data_ptr<Scalar>();
        work.factor = factor.const_data_ptr<Scalar>();
        work.slope = static_cast<Scalar>(context->saved_data["slope"].toDouble());
        work.grad_input = grad_input.mutable_data_ptr<scalar_t>();
        if (has_residual) work.grad_residual = grad_residual.mutable_data_ptr<scalar_t>();
        work.grad_weight = grad_weight.mutable_data_ptr<Scalar>();
        work.grad_bias = grad_bias.mutable_data_ptr<Scalar>();
        const NormShape shape = shape_of(y, layout);
        shape.channels_last ? norm_backward_channels_last(shape, work)
                            : norm_backward_planes(shape, work);
      });
    }
    return {grad_input,
            weight.defined() ? grad_weight.sum(0).to(weight.scalar_type()) : Tensor(),
            bias.defined() ? grad_bias.sum(0).to(bias.scalar_type()) : Tensor(),
            grad_residual,
            Tensor(),
            Tensor()};
  }
};

Tensor apply(const Tensor& x, const Tensor& weight, const Tensor& bias,
             const std::optional<Tensor>& residual, double eps, double slope) {
  const auto fits = [&](const Tensor& each) {
    return !each.defined() || (each.dim() == 1 && each.size(0) == x.size(1));
  };
  if (x.dim() < 3 || weight.defined() != bias.defined() || !fits(weight) || !fits(bias)) {
    const auto values = [](const Tensor& each) { return each.defined() ? each.numel() : 0; };
    throw_error<Error>(
        "instance norm: input with {} dimensions, weight of {}, bias of {} values. "
        "It needs N x C x voxels, and C values of both or none of either.",
        x.dim(), values(weight), values(bias));
  }
  if (residual && residual->sizes() != x.sizes()) {
    throw_error<Error>("instance norm: the residual's shape differs from the input's");
  }
  const auto type = x.scalar_type();
  if (x.is_cpu() && (type == at::kFloat || type == at::kDouble || type == at::kBFloat16)) {
    const auto given = [](const Tensor& each) {
      return each.defined() ? std::optional(each) : std::nullopt;
    };
    return Fused::apply(x, given(weight), given(bias),
                        residual ? std::optional(residual->to(type)) : std::nullopt, eps, slope);
  }
  Tensor y = at::instance_norm(x, weight, bias, {}, {}, true, 0.0, eps, true);
  if (residual) y = y + *residual;
  return slope == 1 ? y : at::leaky_relu(y, slope);
}

}  // namespace

Tensor instance_norm_act(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps,
                         double slope) {
  return apply(x, weight, bias, std::nullopt, eps, slope);
}

Tensor instance_norm_add_act(const Tensor& x, const Tensor& weight, const Tensor& bias,
                             const Tensor& residual, double eps, double slope) {
  return apply(x, weight, bias, residual, eps, slope);
}

}  // namespace lacuna::kernels
