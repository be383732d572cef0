// CCSD: cross-modal compositional self-distillation (arXiv 2511.14599; no published code; network
// and recipe of ShaSpec, which the paper builds on).
//
// Forward: as ShaSpec, but the bottleneck slot of a missing modality is the shared feature of a
// zero image. Training sees every image that a case has; all subsets are made of features that are
// encoded once. L = L_seg + 0.1 L_HMSD + 0.1 L_DMCD, with P_S the softmax over channels of the
// feature of subset S at temperature tau:
//   L_seg   mean over all modalities and the drawn subset of Dice + BCE
//   L_HMSD  mean over S of size k of KL(sg P_full || P_S), k drawn per step
//   L_DMCD  sum over a path of sets, each without the most critical modality of the one before it,
//           of KL(sg P_larger || P_smaller)
// Raw outputs: logits of ET, WT, TC. Any number of modalities. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "methods/ccsd/options.h"
#include "methods/ccsd/subset_features.h"
#include "methods/method.h"
#include "methods/registry.h"
#include "methods/shared/subset_decoder.h"

namespace lacuna::methods::ccsd {

class Method final : public methods::Method {
 public:
  explicit Method(const MethodSettings& settings);

  torch::nn::Module& module() override { return *network_; }
  // Of ShaSpec's weights, which fit but for the classifier.
  std::vector<std::string> ignored_official_names() const override;
  std::vector<ParameterGroup> groups() override;
  std::vector<Stage> stages(std::int64_t steps) const override;
  data::DataRecipe recipe() const override;
  InferenceRecipe inference() const override;
  data::Extent extent_multiple() const override { return {16, 32, 32}; }

  void initialise() override;
  // Parts: dice, bce, hmsd, dmcd, peak (no loss: mean of the largest probability of P_full); with
  // ShaSpec's terms shared, domain.
  Loss loss(const std::string& phase, const Batch& batch, const Progress& progress) override;

  at::Tensor forward(const at::Tensor& image, SubsetMask subset) override;
  Features encode(const at::Tensor& image) override;
  at::Tensor decode(const Features& features, const std::vector<SubsetMask>& subsets) override;
  void invalidate_evaluation_cache() override { subset_decoder_.invalidate(); }

  models::SharedSpecificNetwork& network() { return *network_; }

  // Size of the sets that HMSD teaches in a step, 1 .. M - 1: a function of seed and step, so that
  // all samples of a batch have it, whatever the ranks.
  static int drawn_size(int modalities, const Progress& progress);

 private:
  // A comparison of two rows and its weight in the loss of the batch.
  struct Pairs {
    std::vector<std::int64_t> teachers, students;
    std::vector<double> weights;
  };

  Loss segmentation(const SubsetFeatures& features, const Batch& batch, int size) const;
  Pairs hierarchy(const std::vector<SubsetMask>& available, int size, Rows& rows) const;
  Pairs decrement(const SubsetFeatures& features, const Batch& batch, const Progress& progress,
                  Rows& rows) const;
  at::Tensor divergence(const at::Tensor& maps, const Pairs& pairs, bool of_sigmoids) const;

  data::ModalitySet modalities_;
  Options options_;
  std::shared_ptr<models::SharedSpecificNetwork> network_;
  SubsetDecoder subset_decoder_;
};

const MethodEntry& entry();

}  // namespace lacuna::methods::ccsd
