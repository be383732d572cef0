#include "kernels/repeatable_backward.h"

#include <array>
#include <optional>

#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <torch/library.h>

namespace lacuna::kernels {
namespace {

// torch warns of a kernel that takes the place of another: here it is meant.
class Quiet final : public c10::WarningHandler {
 public:
  void process(const c10::Warning&) override {}
};

// output x input: row o holds what output o takes of each input. Made from the forward operator, so
// that corners and scales are its own.
at::Tensor interpolation(std::int64_t input, std::int64_t output, bool align_corners,
                         std::optional<double> scale, const at::TensorOptions& options) {
  const at::Tensor unit = at::eye(input, at::kDouble).unsqueeze(0);  // 1 x input x input
  const at::Tensor columns = at::upsample_linear1d(unit, {output}, align_corners, scale)[0];
  return columns.t().contiguous().to(options);
}

std::array<std::int64_t, 3> three(at::IntArrayRef given, at::IntArrayRef fallback) {
  const at::IntArrayRef from = given.empty() ? fallback : given;
  if (from.size() == 1) return {from[0], from[0], from[0]};
  return {from[0], from[1], from[2]};
}

}  // namespace

at::Tensor upsample_trilinear3d_backward(const at::Tensor& grad, at::IntArrayRef output,
                                         at::IntArrayRef input, bool align_corners,
                                         std::optional<double> scale_d,
                                         std::optional<double> scale_h,
                                         std::optional<double> scale_w) {
  const std::array<std::optional<double>, 3> scales = {scale_d, scale_h, scale_w};
  // Half precision is summed in single.
  const at::ScalarType type = grad.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  at::Tensor sum = grad.to(type);
  for (std::int64_t axis = 2; axis < 5; ++axis) {
    const auto i = static_cast<std::size_t>(axis - 2);
    if (input[i + 2] == output[i] && !scales[i]) continue;
    const at::Tensor weights =
        interpolation(input[i + 2], output[i], align_corners, scales[i], sum.options());
    sum = at::matmul(sum.movedim(axis, -1), weights).movedim(-1, axis);
  }
  return sum.to(grad.scalar_type()).contiguous(grad.suggest_memory_format());
}

at::Tensor max_pool3d_backward(const at::Tensor& grad, const at::Tensor& input,
                               at::IntArrayRef kernel, at::IntArrayRef stride,
                               at::IntArrayRef padding, at::IntArrayRef dilation,
                               bool /*ceil_mode*/, const at::Tensor& indices) {
  const auto size = three(kernel, kernel), step = three(stride, kernel), pad = three(padding, {0}),
             spread = three(dilation, {1});
  at::Tensor result = at::zeros_like(input, input.suggest_memory_format());
  const std::int64_t axes = input.dim();  // 5, or 4 without samples
  // Outputs first, first + 1, .. last of an axis have an input at this place of their window.
  struct Range {
    std::int64_t first, count, input;
  };
  const auto range = [&](std::size_t i, std::int64_t place) {
    const auto axis = axes - 3 + static_cast<std::int64_t>(i);
    const std::int64_t offset = place * spread[i] - pad[i], extent = input.size(axis);
    const std::int64_t first = offset < 0 ? (-offset + step[i] - 1) / step[i] : 0;
    const std::int64_t last = std::min(
        grad.size(axis) - 1, extent - 1 - offset < 0 ? -1 : (extent - 1 - offset) / step[i]);
    return Range{first, last - first + 1, first * step[i] + offset};
  };
  for (std::int64_t d = 0; d < size[0]; ++d) {
    for (std::int64_t h = 0; h < size[1]; ++h) {
      for (std::int64_t w = 0; w < size[2]; ++w) {
        const std::array<Range, 3> ranges = {range(0, d), range(1, h), range(2, w)};
        at::Tensor from = grad, where = indices, to = result;
        at::Tensor flat = at::zeros({1, 1, 1}, indices.options());
        std::int64_t stretch = 1;
        bool empty = false;
        for (std::size_t i = 3; i-- > 0;) {
          const auto axis = axes - 3 + static_cast<std::int64_t>(i);
          const Range& each = ranges[i];
          if (each.count <= 0) {
            empty = true;
            break;
          }
          from = from.narrow(axis, each.first, each.count);
          where = where.narrow(axis, each.first, each.count);
          to = to.slice(axis, each.input, each.input + step[i] * (each.count - 1) + 1, step[i]);
          std::array<std::int64_t, 3> shape = {1, 1, 1};
          shape[i] = each.count;
          const at::Tensor line =
              at::arange(each.count, indices.options()).mul_(step[i]).add_(each.input);
          flat = flat + line.mul_(stretch).view(shape);
          stretch *= input.size(axis);
        }
        if (empty) continue;
        to.add_(at::where(where == flat, from, at::zeros({}, from.options())));
      }
    }
  }
  return result;
}

struct RepeatableBackward::Registration {
  explicit Registration(c10::DispatchKey device)
      : library(torch::Library::IMPL, "aten", device, __FILE__, __LINE__) {
    Quiet quiet;
    const c10::WarningUtils::WarningHandlerGuard guard(&quiet);
    library.impl("upsample_trilinear3d_backward", TORCH_FN(upsample_trilinear3d_backward));
    library.impl("max_pool3d_with_indices_backward", TORCH_FN(max_pool3d_backward));
  }
  torch::Library library;
};

RepeatableBackward::RepeatableBackward(c10::DispatchKey device)
    : registration_(std::make_unique<Registration>(device)) {}

RepeatableBackward::~RepeatableBackward() = default;

}  // namespace lacuna::kernels
