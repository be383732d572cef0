// The modalities of a cohort in the order of a published network: images and subsets are brought
// into it where they enter the method. Immutable value.
#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "data/types/modality.h"

namespace lacuna::methods {

class ModalityOrder {
 public:
  // Modalities that `published` names come first, as it has them; others follow in the cohort's
  // order.
  ModalityOrder(const data::ModalitySet& cohort, const std::vector<std::string>& published);

  const std::vector<std::string>& names() const { return names_; }  // in the network's order
  int size() const { return static_cast<int>(names_.size()); }
  // Position in the cohort of each.
  const std::vector<int>& channels() const { return channels_; }
  bool contains(data::SubsetMask subset, int position) const {
    return data::contains(subset, channels_[static_cast<std::size_t>(position)]);
  }

  // Of each position, whether the subset has it.
  std::vector<bool> present(data::SubsetMask subset) const;

  // N x M x D x H x W, cohort's order -> the network's.
  at::Tensor image(const at::Tensor& image) const;
  // N x M of the image's type and device: 1 where sample n has modality m, else 0.
  at::Tensor mask(const std::vector<data::SubsetMask>& subsets, const at::Tensor& like) const;

 private:
  std::vector<std::string> names_;
  std::vector<int> channels_;
};

// FLAIR, T1c, T1, T2: RFNet, mmFormer and what was built on them.
const std::vector<std::string>& rfnet_order();

}  // namespace lacuna::methods
