#include "methods/m3ae/augmentation.h"

#include <ATen/ATen.h>

#include "base/random.h"

namespace lacuna::methods::m3ae {

void change(std::vector<at::Tensor>& images, at::Tensor& label,
            const std::vector<std::uint64_t>& keys) {
  const auto samples = static_cast<std::int64_t>(keys.size());
  const std::int64_t modalities = images.at(0).size(1), slices = images[0].size(2);
  at::Tensor gain = at::empty({samples, modalities, slices, 1, 1}, at::dtype(at::kFloat));
  at::Tensor offset = at::empty_like(gain);
  std::vector<std::vector<std::int64_t>> turned(keys.size());  // axes of M x D x H x W
  for (std::int64_t n = 0; n < samples; ++n) {
    Stream stream(keys[static_cast<std::size_t>(n)], Purpose::kMethod, 1);
    for (std::int64_t i = n * modalities * slices; i < (n + 1) * modalities * slices; ++i) {
      gain.data_ptr<float>()[i] = static_cast<float>(stream.uniform(0.9, 1.1));
      offset.data_ptr<float>()[i] = static_cast<float>(stream.uniform(-0.1, 0.1));
    }
    for (std::int64_t axis = 1; axis <= 3; ++axis) {
      if (stream.chance(0.5)) turned[static_cast<std::size_t>(n)].push_back(axis);
    }
  }
  for (at::Tensor& image : images) {
    const at::Tensor changed = image * gain.to(image.options()) + offset.to(image.options());
    std::vector<at::Tensor> rows;
    for (std::int64_t n = 0; n < samples; ++n) {
      rows.push_back(changed[n].flip(turned[static_cast<std::size_t>(n)]));
    }
    image = at::stack(rows);
  }
  std::vector<at::Tensor> rows;
  for (std::int64_t n = 0; n < samples; ++n) {
    std::vector<std::int64_t> axes = turned[static_cast<std::size_t>(n)];
    for (std::int64_t& axis : axes) --axis;
    rows.push_back(label[n].flip(axes));
  }
  label = at::stack(rows);
}

}  // namespace lacuna::methods::m3ae
