#include "models/image_rows.h"

#include <ATen/ATen.h>

namespace lacuna::models {

ImageRows::ImageRows(const at::Tensor& image, const std::vector<data::SubsetMask>& subsets,
                     bool zero_image)
    : samples_(image.size(0)), modalities_(image.size(1)) {
  std::vector<std::int64_t> present, source(samples_ * modalities_, -1);
  for (std::int64_t row = 0; row < samples_ * modalities_; ++row) {
    if (!data::contains(subsets[row / modalities_], static_cast<int>(row % modalities_))) continue;
    source[row] = static_cast<std::int64_t>(present.size());
    present.push_back(row);
  }
  present_ = static_cast<std::int64_t>(present.size());
  images_ = image.reshape({samples_ * modalities_, 1, image.size(2), image.size(3), image.size(4)});
  const at::Tensor zero = at::zeros_like(images_.narrow(0, 0, 1));
  if (complete()) {
    if (zero_image) images_ = at::cat({images_, zero});
    return;
  }
  for (std::int64_t& each : source) {
    if (each < 0) each = present_;
  }
  source_ = at::tensor(source, at::kLong).to(image.device());
  destination_ = at::tensor(present, at::kLong).to(image.device());
  images_ = at::cat({images_.index_select(0, destination_), zero});
}

void ImageRows::settle(const std::vector<at::Tensor*>& encoded) const {
  if (images_.size(0) == present_ || !encoded.front()->requires_grad()) return;
  // Chosen on the device: the host need not wait for the forward pass.
  const at::Tensor left = zero_image(encoded.front()->detach()).any();
  for (at::Tensor* each : encoded) {
    const at::Tensor zero = zero_image(*each);
    *each = at::cat({each->narrow(0, 0, present_), at::where(left, zero, zero.detach())});
  }
}

at::Tensor ImageRows::by_sample(const at::Tensor& encoded) const {
  const at::Tensor all =
      complete() ? encoded.narrow(0, 0, present_) : encoded.index_select(0, source_);
  return all.unflatten(0, {samples_, modalities_});
}

at::Tensor ImageRows::present_by_sample(const at::Tensor& encoded) const {
  if (complete()) return by_sample(encoded);
  std::vector<std::int64_t> shape = encoded.sizes().vec();
  shape[0] = samples_ * modalities_;
  const at::Tensor zeros = at::zeros(shape, encoded.options());
  return zeros.index_copy(0, destination_, encoded).unflatten(0, {samples_, modalities_});
}

}  // namespace lacuna::models
