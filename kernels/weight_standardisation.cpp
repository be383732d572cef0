#include "kernels/weight_standardisation.h"

#include <algorithm>
#include <cmath>

#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "base/error.h"
#include "kernels/once_differentiable.h"
#include "kernels/simd.h"

namespace lacuna::kernels {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr double kEpsilon = 1e-12;      // added to the variance (published code)
constexpr std::int64_t kBlock = 16384;  // elements summed before they are added in double

// Sum over [0, size) of term(vector, offset, count), where lanes beyond count must give 0.
template <typename T, typename Term>
double sum_over(std::int64_t size, Term&& term) {
  using S = Simd<T>;
  constexpr int kWidth = S::kWidth;
  double total = 0;
  for (std::int64_t begin = 0; begin < size; begin += kBlock) {
    const std::int64_t end = std::min(size, begin + kBlock);
    typename S::Vector sums[4] = {};
    std::int64_t i = begin;
    for (; i + 4 * kWidth <= end; i += 4 * kWidth) {
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u) sums[u] += term(i + u * kWidth, kWidth);
    }
    for (; i < end; i += kWidth) {
      sums[0] += term(i, static_cast<int>(std::min<std::int64_t>(kWidth, end - i)));
    }
    total += sum_lanes(sums[0] + sums[1] + sums[2] + sums[3]);
  }
  return total;
}

std::int64_t grain(std::int64_t size) { return std::max<std::int64_t>(1, 32768 / size); }

// Writes the standardised rows and 1 / deviation of each.
template <typename T>
void standardise(const T* weight, std::int64_t rows, std::int64_t size, T* result, T* inverse) {
  using S = Simd<T>;
  at::parallel_for(0, rows, grain(size), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const T* w = weight + row * size;
      const double mean =
          sum_over<T>(size, [&](std::int64_t i, int n) { return fetch(w + i, n, T(0)); }) / size;
      const T centre = static_cast<T>(mean);
      const double squares = sum_over<T>(size, [&](std::int64_t i, int n) {
        const auto d = fetch(w + i, n, centre) - centre;
        return d * d;
      });
      const double variance = squares / double(size - 1);
      inverse[row] = static_cast<T>(1 / std::sqrt(variance + kEpsilon));
      for (std::int64_t i = 0; i < size; i += S::kWidth) {
        const int n = static_cast<int>(std::min<std::int64_t>(S::kWidth, size - i));
        put(result + row * size + i, n, (fetch(w + i, n, centre) - centre) * inverse[row]);
      }
    }
  });
}

// dL/dw = (g - average(g) - h * sum(g h) / (size - 1)) / deviation, h the standardised row.
template <typename T>
void standardise_gradient(const T* grad, const T* result, const T* inverse, std::int64_t rows,
                          std::int64_t size, T* grad_weight) {
  using S = Simd<T>;
  at::parallel_for(0, rows, grain(size), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const T *g = grad + row * size, *h = result + row * size;
      const double sum_g =
          sum_over<T>(size, [&](std::int64_t i, int n) { return fetch(g + i, n, T(0)); });
      const double sum_gh = sum_over<T>(size, [&](std::int64_t i, int n) {
        return fetch(g + i, n, T(0)) * fetch(h + i, n, T(0));
      });
      const T average = static_cast<T>(sum_g / double(size));
      const T slope = static_cast<T>(sum_gh / double(size - 1));
      for (std::int64_t i = 0; i < size; i += S::kWidth) {
        const int n = static_cast<int>(std::min<std::int64_t>(S::kWidth, size - i));
        put(grad_weight + row * size + i, n,
            (fetch(g + i, n, T(0)) - average - fetch(h + i, n, T(0)) * slope) * inverse[row]);
      }
    }
  });
}

struct Standardised : public torch::autograd::Function<Standardised> {
  static Tensor forward(AutogradContext* context, const Tensor& weight) {
    const std::int64_t rows = weight.size(0), size = weight.numel() / rows;
    const Tensor result = at::empty_like(weight);
    const Tensor inverse = at::empty({rows}, weight.options());
    if (weight.scalar_type() == at::kDouble) {
      standardise(weight.const_data_ptr<double>(), rows, size, result.mutable_data_ptr<double>(),
                  inverse.mutable_data_ptr<double>());
    } else {
      standardise(weight.const_data_ptr<float>(), rows, size, result.mutable_data_ptr<float>(),
                  inverse.mutable_data_ptr<float>());
    }
    context->save_for_backward({result, inverse});
    return result;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    refuse_second_derivative("weight standardisation");
    const variable_list saved = context->get_saved_variables();
    const Tensor &result = saved[0], &inverse = saved[1];
    const std::int64_t rows = result.size(0), size = result.numel() / rows;
    // Rows are compared element by element, so the gradient needs the layout of the result.
    const Tensor grad =
        grads[0].strides() == result.strides() ? grads[0] : at::empty_like(result).copy_(grads[0]);
    const Tensor grad_weight = at::empty_like(result);
    if (result.scalar_type() == at::kDouble) {
      standardise_gradient(grad.const_data_ptr<double>(), result.const_data_ptr<double>(),
                           inverse.const_data_ptr<double>(), rows, size,
                           grad_weight.mutable_data_ptr<double>());
    } else {
      standardise_gradient(grad.const_data_ptr<float>(), result.const_data_ptr<float>(),
                           inverse.const_data_ptr<float>(), rows, size,
                           grad_weight.mutable_data_ptr<float>());
    }
    return {grad_weight};
  }
};

// Rows lie one after the other in memory, whatever the order inside a row.
bool rows_are_dense(const Tensor& weight) {
  return weight.is_non_overlapping_and_dense() &&
         (weight.size(0) == 1 || weight.stride(0) == weight.numel() / weight.size(0));
}

}  // namespace

Tensor standardise_weight(const Tensor& weight) {
  if (weight.dim() < 2 || weight.numel() < 2 * weight.size(0)) {
    throw_error<Error>("weight standardisation: {} weights for {} channels; a deviation needs two",
                       weight.numel(), weight.dim() > 0 ? weight.size(0) : 0);
  }
  const auto type = weight.scalar_type();
  if (weight.is_cpu() && (type == at::kFloat || type == at::kDouble)) {
    return Standardised::apply(rows_are_dense(weight) ? weight : weight.contiguous());
  }
  const Tensor rows = weight.flatten(1);
  const Tensor centred = rows - rows.mean(1, true);
  const Tensor variance = centred.square().sum(1, true) / double(rows.size(1) - 1);
  return (centred * (variance + kEpsilon).rsqrt()).view_as(weight);
}

}  // namespace lacuna::kernels
