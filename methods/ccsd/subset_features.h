// The features of a batch from which CCSD makes every subset of its modalities: each image is
// encoded once, and one zero image stands for all that is missing.
//
// A row is a sample under a set of modalities. Slot m of a row is the fused feature of m where m is
// in the set, else what the fill says (the shared feature of the zero image: not composed); its
// skips are those of m's image or of the zero image. Instance norm keeps rows apart, so a row is
// what a pass on the masked images would give. Gradient flows into the zero image's features.
// Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "data/types/modality.h"
#include "methods/ccsd/options.h"
#include "models/shared_specific_network.h"

namespace lacuna::methods::ccsd {

// Rows without repetition, in the order in which they were first asked for.
class Rows {
 public:
  std::int64_t at(std::int64_t sample, data::SubsetMask set);  // the number of the row
  std::int64_t size() const { return static_cast<std::int64_t>(sets_.size()); }
  const std::vector<std::int64_t>& samples() const { return samples_; }
  const std::vector<data::SubsetMask>& sets() const { return sets_; }

 private:
  std::vector<std::int64_t> samples_;
  std::vector<data::SubsetMask> sets_;
};

class SubsetFeatures {
 public:
  // Encodes what `available` says of each sample. The network must outlive the object.
  SubsetFeatures(const models::SharedSpecificNetwork& network, const at::Tensor& image,
                 const std::vector<data::SubsetMask>& available, Fill fill);

  at::Tensor slots(const Rows& rows) const;                      // R x M x C x d x h x w
  at::Tensor skip(int level, const Rows& rows) const;            // R x M x c x ...
  at::Tensor logits(const Rows& rows) const;                     // R x outputs x D x H x W
  at::Tensor distilled(const Rows& rows, Distilled kind) const;  // R x channels x ...

  const at::Tensor& fused() const { return fused_; }    // N x M x C x d x h x w
  const at::Tensor& shared() const { return shared_; }  // the same shape
  // N x M x M: the classifier's logits; undefined without one.
  const at::Tensor& domains() const { return domains_; }
  const at::Tensor& zero() const { return zero_; }  // 1 x C x d x h x w

 private:
  at::Tensor chosen(const at::Tensor& present, const at::Tensor& absent, const Rows& rows) const;

  const models::SharedSpecificNetwork& network_;
  Fill fill_;
  at::Tensor image_;
  at::Tensor shared_, own_, fused_, domains_, zero_;
  std::array<at::Tensor, 4> skips_, zero_skips_;
};

}  // namespace lacuna::methods::ccsd
