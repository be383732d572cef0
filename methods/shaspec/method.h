// ShaSpec: shared-specific feature modelling (arXiv 2307.14126; published code billhhh/ShaSpec,
// commit 081fe7a).
//
// Forward: every modality through the shared and through its private encoder; the bottleneck slot
// of an available one is shared + conv(shared beside private). Missing ones are zero images; their
// slot borrows a shared feature of the available ones, their skips stay those of the zero image.
// Training: L = L_dice + L_bce + 0.1 L_sh + 0.02 L_dom, L_sh the alignment of the shared features,
// L_dom the classification of the private ones by modality.
// Raw outputs: logits of ET, WT, TC. Any number of modalities. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "methods/method.h"
#include "methods/registry.h"
#include "methods/shared/subset_decoder.h"
#include "methods/shaspec/options.h"
#include "models/shared_specific_network.h"

namespace lacuna::methods::shaspec {

class Method final : public methods::Method {
 public:
  explicit Method(const MethodSettings& settings);

  torch::nn::Module& module() override { return *network_; }
  std::vector<ParameterGroup> groups() override;
  std::vector<Stage> stages(std::int64_t steps) const override;
  data::DataRecipe recipe() const override;
  InferenceRecipe inference() const override;
  data::Extent extent_multiple() const override { return {16, 32, 32}; }

  void initialise() override;
  // Parts: dice, bce, shared (L_sh), domain (L_dom).
  Loss loss(const std::string& phase, const Batch& batch, const Progress& progress) override;

  at::Tensor forward(const at::Tensor& image, SubsetMask subset) override;
  Features encode(const at::Tensor& image) override;
  at::Tensor decode(const Features& features, const std::vector<SubsetMask>& subsets) override;
  void invalidate_evaluation_cache() override { subset_decoder_.invalidate(); }

  models::SharedSpecificNetwork& network() { return *network_; }

 private:
  // The modality that each sample's missing ones borrow from with fill "first": random by the
  // batch's keys, the one of lowest index where it has none.
  std::vector<int> donors(const Batch& batch, const Progress& progress) const;

  data::ModalitySet modalities_;
  Options options_;
  std::shared_ptr<models::SharedSpecificNetwork> network_;
  SubsetDecoder subset_decoder_;
};

const MethodEntry& entry();

}  // namespace lacuna::methods::shaspec
