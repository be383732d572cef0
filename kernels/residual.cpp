#include "kernels/residual.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/leaky_relu.h>
#include <torch/csrc/autograd/custom_function.h>

#include "base/error.h"
#include "kernels/once_differentiable.h"
#include "kernels/simd.h"

namespace lacuna::kernels {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kGrain = 32768;  // elements per task

// result[i] = body(a[i], b[i]), all dense and in one order.
template <typename T, typename Body>
void combine(const Tensor& a, const Tensor& b, const Tensor& result, Body&& body) {
  const T *left = a.const_data_ptr<T>(), *right = b.const_data_ptr<T>();
  T* out = result.mutable_data_ptr<T>();
  at::parallel_for(0, a.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    constexpr int kWidth = Simd<T>::kWidth;
    for (std::int64_t i = begin; i < end; i += kWidth) {
      const int n = static_cast<int>(std::min<std::int64_t>(kWidth, end - i));
      put(out + i, n, body(fetch(left + i, n, T(0)), fetch(right + i, n, T(0))));
    }
  });
}

struct AddLeakyRelu : public torch::autograd::Function<AddLeakyRelu> {
  template <typename T>
  static void run(const Tensor& a, const Tensor& b, const Tensor& result, double slope) {
    const T factor = static_cast<T>(slope);
    combine<T>(a, b, result, [&](auto x, auto y) {
      const auto z = x + y;
      return z > 0 ? z : z * factor;
    });
  }

  template <typename T>
  static void gradient(const Tensor& out, const Tensor& grad, const Tensor& result, double slope) {
    const T factor = static_cast<T>(slope);
    combine<T>(out, grad, result, [&](auto y, auto g) { return y > 0 ? g : g * factor; });
  }

  static Tensor forward(AutogradContext* context, const Tensor& a, const Tensor& b, double slope) {
    const Tensor result = at::empty_like(a);
    a.scalar_type() == at::kDouble ? run<double>(a, b, result, slope)
                                   : run<float>(a, b, result, slope);
    context->save_for_backward({result});
    context->saved_data["slope"] = slope;
    return result;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    refuse_second_derivative("fused residual");
    const Tensor out = context->get_saved_variables()[0];
    const double slope = context->saved_data["slope"].toDouble();
    const Tensor grad =
        grads[0].strides() == out.strides() ? grads[0] : at::empty_like(out).copy_(grads[0]);
    const Tensor result = at::empty_like(out);
    out.scalar_type() == at::kDouble ? gradient<double>(out, grad, result, slope)
                                     : gradient<float>(out, grad, result, slope);
    return {result, result, Tensor()};
  }
};

}  // namespace

Tensor add_leaky_relu(const Tensor& a, const Tensor& b, double slope) {
  if (a.sizes() != b.sizes() || slope <= 0) {
    throw_error<Error>("residual: it needs two tensors of one shape and a slope above 0");
  }
  const auto type = a.scalar_type();
  const bool ours = a.is_cpu() && b.is_cpu() && type == b.scalar_type() &&
                    (type == at::kFloat || type == at::kDouble);
  if (!ours) return at::leaky_relu(a + b, slope);
  const Tensor left = a.is_non_overlapping_and_dense() ? a : a.contiguous();
  const Tensor right =
      left.strides() == b.strides() ? b : b.contiguous(left.suggest_memory_format());
  if (left.strides() != right.strides()) return at::leaky_relu(a + b, slope);
  return AddLeakyRelu::apply(left, right, slope);
}

}  // namespace lacuna::kernels
