// The images of a batch as rows of one channel, for an encoder that takes one modality at a time:
// the images that are there, then one zero image that stands for all missing ones, since they are
// alike.
//
// Row r = sample n, modality m of an N x M batch: r = n * M + m. Immutable; not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "data/types/modality.h"

namespace lacuna::models {

class ImageRows {
 public:
  // image: N x M x D x H x W; what subsets[n] lacks counts as 0 whatever the image holds.
  // zero_image: it is there even when nothing is missing.
  ImageRows(const at::Tensor& image, const std::vector<data::SubsetMask>& subsets,
            bool zero_image = false);

  // R x 1 x D x H x W: present() images, and the zero image if any is missing or it was asked for.
  const at::Tensor& images() const { return images_; }
  std::int64_t present() const { return present_; }
  bool complete() const { return present_ == samples_ * modalities_; }

  // encoded: R x ... -> N x M x ..., with gradient from every place into its row.
  at::Tensor by_sample(const at::Tensor& encoded) const;
  // Stops the gradient into the zero image while nothing is left of it in the first of `encoded`
  // (R x ... each, the deepest first): while every shift of the norms is 0, before the first step.
  // Its maps are then constant, each norm multiplies the gradient by 1 / sqrt(eps) = 316, and after
  // fifty of them it is 1e49, true but of no use, and not finite in float.
  void settle(const std::vector<at::Tensor*>& encoded) const;

  // Of the zero image: 1 x ... .
  at::Tensor zero_image(const at::Tensor& encoded) const { return encoded.narrow(0, present_, 1); }
  // The same from the present rows alone (present() x ...): 0 where an image is missing.
  at::Tensor present_by_sample(const at::Tensor& encoded) const;

 private:
  std::int64_t samples_, modalities_, present_ = 0;
  at::Tensor images_;
  at::Tensor source_;       // N * M: row of each place; undefined when complete
  at::Tensor destination_;  // present(): place of each row; undefined when complete
};

}  // namespace lacuna::models
