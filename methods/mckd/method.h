// MCKD: meta-learned cross-modal knowledge distillation (arXiv 2405.07155; published code
// billhhh/MCKD, commit b0466a5).
//
// Forward: absent modalities are zero images; their bottleneck slot is the mean of the available
// bottleneck features, their skips stay those of the zero image.
// Training phase: L = L_dice + L_bce + alpha * L_ckd, SGD on the network.
// Meta phase, on the meta-validation cases: slot m = importance_m * f_m, L = L_dice + L_bce, Adam
// on the importance vector only; first order, alternating.
// Raw outputs: logits of ET, WT, TC. Any number of modalities. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/types/tissue.h"
#include "methods/mckd/network.h"
#include "methods/mckd/options.h"
#include "methods/method.h"
#include "methods/registry.h"
#include "methods/shared/subset_decoder.h"

namespace lacuna::methods::mckd {

class Method final : public methods::Method {
 public:
  explicit Method(const MethodSettings& settings);

  torch::nn::Module& module() override { return *network_; }
  std::vector<std::string> ignored_official_names() const override;
  std::map<std::string, std::vector<double>> fill_exceptions() const override;
  std::vector<ParameterGroup> groups() override;
  std::vector<Stage> stages(std::int64_t steps) const override;
  data::DataRecipe recipe() const override;
  InferenceRecipe inference() const override;
  data::Extent extent_multiple() const override { return {16, 32, 32}; }

  void initialise() override;
  Loss loss(const std::string& phase, const Batch& batch, const Progress& progress) override;
  void end_phase(const std::string& phase, const Progress& progress) override;
  std::vector<std::pair<std::string, double>> diagnostics() override;

  at::Tensor forward(const at::Tensor& image, SubsetMask subset) override;
  Features encode(const at::Tensor& image) override;
  at::Tensor decode(const Features& features, const std::vector<SubsetMask>& subsets) override;
  void invalidate_evaluation_cache() override { subset_decoder_.invalidate(); }

  Network& network() { return *network_; }

 private:
  // Logits of the training and inference forward pass.
  at::Tensor segment(const models::SharedNetwork::Features& features,
                     const std::vector<SubsetMask>& subsets) const;
  at::Tensor segment_weighted(const models::SharedNetwork::Features& features,
                              const std::vector<SubsetMask>& subsets) const;
  models::SharedNetwork::Features encode_batch(const at::Tensor& image,
                                               const std::vector<SubsetMask>& subsets) const;

  data::ModalitySet modalities_;
  Options options_;
  std::shared_ptr<Network> network_;
  SubsetDecoder subset_decoder_;
};

const MethodEntry& entry();

}  // namespace lacuna::methods::mckd
