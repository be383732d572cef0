// U-HVED: hetero-modal variational encoder-decoder (Dorent et al., MICCAI 2019, arXiv 1907.11150;
// code ReubenDo/U-HVED, extensions/u_hved).
//
//   each modality m, level l: mu_m,l and log variance from its encoder
//   q_S,l = product of the experts of the subset S and N(0, 1)
//   (methods/shared/product_of_experts.h) z_l = mean + exp(log variance / 2) noise, one noise for
//   all decoders four decoders rebuild the modalities from z, one segments loss = CE + Dice + 0.1
//   KLD + 0.1 MSE of the four images + decay KLD = mean over levels of [1/14 sum_s KL(q_S || q_s) +
//   1/15 sum_s KL(q_s || N(0, 1))]
//
// with S the drawn subset and s all 15. A modality that a case lacks is neither rebuilt nor in any
// s. Evaluation encodes each modality once and sums precisions. Not thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "methods/method.h"
#include "methods/shared/hetero_modal.h"
#include "methods/shared/modality_order.h"
#include "methods/shared/option_binding.h"
#include "methods/shared/product_of_experts.h"

namespace lacuna::methods::u_hved {

struct Options {
  bool official = false, sample = false;
  double dice_numerator = 1e-5, decay = 1e-5, divergence_weight = 0.1, image_weight = 0.1;
};

const OptionBinding<Options>& binding();

class Method final : public methods::Method {
 public:
  explicit Method(const MethodSettings& settings);

  torch::nn::Module& module() override { return *module_; }
  std::vector<int> published_channels() const override { return order_.channels(); }
  std::vector<ParameterGroup> groups() override { return hetero_groups(*module_); }
  std::vector<Stage> stages(std::int64_t steps) const override { return hetero_stages(steps); }
  data::DataRecipe recipe() const override { return hetero_recipe(patch_); }
  InferenceRecipe inference() const override { return hetero_inference(patch_); }
  data::Extent extent_multiple() const override { return {1, 1, 1}; }
  void initialise() override { models::initialise_truncated(*module_); }
  Loss loss(const std::string& phase, const Batch& batch, const Progress& progress) override;
  at::Tensor forward(const at::Tensor& image, SubsetMask subset) override;
  // Precisions of every modality and level, then means times precisions, modality by modality.
  Features encode(const at::Tensor& image) override;
  at::Tensor decode(const Features& features, const std::vector<SubsetMask>& subsets) override;

  // The images of all modalities as they are completed from those of a subset, from posterior
  // means: N x M x D x H x W.
  at::Tensor complete(const at::Tensor& image, SubsetMask subset) const;

 private:
  using Levels = std::vector<Experts>;  // finest first
  struct Divergence {
    at::Tensor subsets, prior;
  };
  Levels experts(const at::Tensor& image) const;
  // z of every level; keys: of the samples' noise, empty: none.
  std::vector<at::Tensor> latents(const Levels& levels, SubsetMask subset,
                                  const std::vector<std::uint64_t>& keys) const;
  Divergence divergence(const Levels& levels, SubsetMask drawn, SubsetMask available) const;

  Options options_;
  data::Extent patch_;
  ModalityOrder order_;  // of the published code alone: the network does not mind
  std::shared_ptr<torch::nn::Module> module_ = std::make_shared<torch::nn::Module>();
  std::vector<std::shared_ptr<models::HeteroEncoder>> encoders_;  // by modality of the cohort
  std::vector<std::shared_ptr<models::HeteroDecoder>> images_;
  std::shared_ptr<models::HeteroDecoder> segmentation_;
};

const MethodEntry& entry();

}  // namespace lacuna::methods::u_hved
