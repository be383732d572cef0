#include "methods/m3ae/network.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace lacuna::methods::m3ae {

Network::Network(const Shape& shape) {
  const data::Extent& s = shape.substitute;
  limage = register_parameter("limage", torch::zeros({1, shape.modalities, s[0], s[1], s[2]}));
  unet_ = register_module(
      "unet", std::make_shared<models::MyronenkoUnet>(models::MyronenkoShape{.in = shape.modalities,
                                                                             .out = shape.out,
                                                                             .width = shape.width,
                                                                             .dropout = 0,
                                                                             .deep = shape.deep}));
}

models::MyronenkoOutput Network::forward(const at::Tensor& x, bool deep) const {
  models::MyronenkoOutput out = unet_->forward(x, {}, nullptr, deep);
  for (at::Tensor& each : out.deep) {
    each = at::upsample_trilinear3d(each, x.sizes().slice(2), /*align_corners=*/true);
  }
  return out;
}

at::Tensor Network::cut(const at::Tensor& image, const data::Extent& corner,
                        const data::Extent& extent) {
  at::Tensor part = image[0];
  std::array<std::int64_t, 3> begin{}, length{};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto axis = static_cast<std::int64_t>(i) + 1;
    begin[i] = std::clamp<std::int64_t>(corner[i], 0, part.size(axis));
    const std::int64_t end = std::clamp(corner[i] + extent[i], begin[i], part.size(axis));
    length[i] = end - begin[i];
    part = part.narrow(axis, begin[i], length[i]);
  }
  if (length == extent) return part;
  at::Tensor whole = image[0]
                         .detach()
                         .mean({1, 2, 3}, /*keepdim=*/true)
                         .expand({part.size(0), extent[0], extent[1], extent[2]})
                         .clone();
  at::Tensor inside = whole;
  for (std::size_t i = 0; i < 3; ++i) {
    if (length[i] == 0) return whole;
    inside = inside.narrow(static_cast<std::int64_t>(i) + 1, begin[i] - corner[i], length[i]);
  }
  inside.copy_(part);
  return whole;
}

void Network::initialise() {
  unet_->initialise();
  const torch::NoGradGuard no_grad;
  limage.normal_();
}

at::Tensor voxels_of_tokens(const at::Tensor& kept, std::int64_t modalities,
                            const data::Extent& extent) {
  at::Tensor cubes =
      kept.view({modalities, extent[0] / kPatch, extent[1] / kPatch, extent[2] / kPatch});
  for (std::int64_t axis = 1; axis <= 3; ++axis) cubes = cubes.repeat_interleave(kPatch, axis);
  return cubes;
}

}  // namespace lacuna::methods::m3ae
