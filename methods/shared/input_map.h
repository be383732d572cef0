// What a plug-in puts between the images and the network of another method, its host. The host asks
// for it where it takes images in, and for the finest features of single modalities where it has
// such; it knows no plug-in. Subsets are those of the host's call, one per sample. Not thread-safe.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "data/types/modality.h"

namespace lacuna::methods {

class InputMap {
 public:
  virtual ~InputMap() = default;

  // N x M x D x H x W, the cohort's order -> the same shape: channel m stands for modality m, also
  // where a sample lacks it. training: of a loss; else by what was learnt.
  virtual at::Tensor image(const at::Tensor& image, const std::vector<data::SubsetMask>& subsets,
                           bool training) = 0;

  // Whether first_level() does anything. What it puts in the place of a missing modality is then
  // to be used: it is not set to 0 where modalities meet.
  virtual bool maps_first_level() const = 0;
  // Of each modality, in the cohort's order, N x c x D x H x W, or undefined where no sample has it
  // (not in training): all are defined afterwards. available: Batch::available.
  virtual void first_level(std::vector<at::Tensor>& features,
                           const std::vector<data::SubsetMask>& subsets,
                           const std::vector<data::SubsetMask>& available, bool training) = 0;

  // Whether losses of a single modality's output leave out samples whose subset lacks it.
  virtual bool leaves_out_missing() const = 0;
};

}  // namespace lacuna::methods
