#include "evaluation/prediction/sliding_window.h"

#include <algorithm>
#include <cmath>

#include <torch/types.h>

namespace lacuna::evaluation {

using methods::InferenceRecipe;

std::vector<std::int64_t> window_starts(std::int64_t extent, std::int64_t patch, double overlap) {
  if (extent <= patch) return {0};
  // The small term keeps a product that is whole, such as (1 - 1/3) * 96, from being rounded up.
  const auto stride = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::ceil((1 - overlap) * static_cast<double>(patch) - 1e-9)));
  std::vector<std::int64_t> starts;
  for (std::int64_t start = 0; start < extent - patch; start += stride) starts.push_back(start);
  starts.push_back(extent - patch);
  return starts;
}

at::Tensor window_weights(InferenceRecipe::Window window, const data::Extent& patch) {
  at::Tensor weights = torch::ones({patch[0], patch[1], patch[2]});
  if (window == InferenceRecipe::Window::kUniform) return weights;
  for (std::int64_t axis = 0; axis < 3; ++axis) {
    const auto length = patch[static_cast<std::size_t>(axis)];
    const double sigma = static_cast<double>(length) / 8;
    at::Tensor line = torch::arange(length, torch::kFloat64) - static_cast<double>(length - 1) / 2;
    line = torch::exp(line.square() / (-2 * sigma * sigma));
    std::vector<std::int64_t> shape(3, 1);
    shape[static_cast<std::size_t>(axis)] = length;
    weights = weights * (line / line.max()).to(torch::kFloat32).view(shape);
  }
  return weights;
}

WindowBlender::WindowBlender(std::int64_t subsets, const data::Extent& patch,
                             const std::array<std::int64_t, 2>& plane, const at::Tensor& weights)
    : subsets_(subsets),
      patch_(patch),
      plane_(plane),
      weights_(weights),
      total_(torch::zeros({patch[0], plane[0], plane[1]}, weights.options())) {}

template <typename Use>
void WindowBlender::for_each_piece(std::int64_t slices, const Use& use) const {
  const std::int64_t before_the_end = std::min(slices, patch_[0] - head_);
  use(head_, std::int64_t{0}, before_the_end);
  if (slices > before_the_end) use(std::int64_t{0}, before_the_end, slices - before_the_end);
}

void WindowBlender::add(std::int64_t first, std::int64_t h, std::int64_t w,
                        const at::Tensor& values) {
  if (!sums_.defined()) {
    sums_ = torch::zeros({subsets_, values.size(1), patch_[0], plane_[0], plane_[1]},
                         values.options().dtype(torch::kFloat32));
  }
  const at::Tensor target =
      sums_.narrow(0, first, values.size(0)).narrow(3, h, patch_[1]).narrow(4, w, patch_[2]);
  for_each_piece(patch_[0], [&](std::int64_t place, std::int64_t slice, std::int64_t slices) {
    target.narrow(2, place, slices)
        .addcmul_(values.narrow(2, slice, slices), weights_.narrow(0, slice, slices));
  });
}

void WindowBlender::count_window(std::int64_t h, std::int64_t w) {
  const at::Tensor target = total_.narrow(1, h, patch_[1]).narrow(2, w, patch_[2]);
  for_each_piece(patch_[0], [&](std::int64_t place, std::int64_t slice, std::int64_t slices) {
    target.narrow(0, place, slices).add_(weights_.narrow(0, slice, slices));
  });
}

void WindowBlender::take(
    std::int64_t slices,
    const std::function<void(const at::Tensor& means, std::int64_t first)>& use) {
  for_each_piece(slices, [&](std::int64_t place, std::int64_t slice, std::int64_t count) {
    const at::Tensor sums = sums_.narrow(2, place, count), total = total_.narrow(0, place, count);
    sums.div_(total);
    use(sums, slice);
    sums.zero_();
    total.zero_();
  });
  head_ = (head_ + slices) % patch_[0];
}

at::Tensor compose_labels(const InferenceRecipe& recipe, const at::Tensor& values) {
  if (recipe.activation == InferenceRecipe::Activation::kSoftmax) {
    at::Tensor tissues = torch::zeros({values.size(1)}, torch::kUInt8);
    for (const auto& [channel, tissue] : recipe.channels) {
      tissues[channel] = static_cast<std::uint8_t>(tissue);
    }
    return tissues.to(values.device()).index({values.argmax(1)});
  }
  const double p = recipe.threshold;
  const double threshold = recipe.blend_probabilities ? p : std::log(p / (1 - p));
  at::Tensor labels = torch::zeros({values.size(0), values.size(2), values.size(3), values.size(4)},
                                   values.options().dtype(torch::kUInt8));
  for (const auto& [channel, tissue] : recipe.channels) {
    labels.masked_fill_(values.select(1, channel) > threshold, static_cast<std::uint8_t>(tissue));
  }
  return labels;
}

void relabel(const InferenceRecipe& recipe, std::vector<std::uint8_t>& labels) {
  for (const auto& [tissue, minimum, replacement] : recipe.relabelled) {
    const auto old = static_cast<std::uint8_t>(tissue);
    if (std::count(labels.begin(), labels.end(), old) >= minimum) continue;
    std::replace(labels.begin(), labels.end(), old, static_cast<std::uint8_t>(replacement));
  }
}

}  // namespace lacuna::evaluation
