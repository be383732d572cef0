// RA-HVED: region-of-interest attentive heteromodal variational encoder-decoder (Jeong et al., ACCV
// 2022; code ssjx10/RA-HVED).
//
//   each modality m, level l: mu_m,l and log variance, from a strided block on its encoder
//   q_S,l = product of the experts of the subset S and N(0, 1); z_l a sample of it, or its mean
//   f_l = re-expansion of z_l; one decoder with attentive skips segments (WT, TC, ET), one for
//   each modality rebuilds its image
//   a discriminator tells what was made from S from what was made from everything
//   loss = D(p_full) + D(p_S) + 0.2 MSE of the images of S + 0.2 K(q_S) + 0.1 (judged_S - 1)^2
//
// with D the Dice loss with sums over the batch and K the divergence to N(0, 1). A modality that a
// case lacks is in no product and is not compared with. Evaluation encodes each modality once and
// sums precisions. Not thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "methods/method.h"
#include "methods/ra_hved/network.h"
#include "methods/ra_hved/options.h"
#include "methods/registry.h"
#include "methods/shared/kept_tensors.h"
#include "methods/shared/modality_order.h"
#include "methods/shared/product_of_experts.h"

namespace lacuna::methods::ra_hved {

// probability: N x 3 x D x H x W, channels WT, TC, ET -> N x 1 x D x H x W: the probability of the
// innermost region that the voxel is in (above 0.5), 0 where it is in none. Without gradient.
at::Tensor region_weight(const at::Tensor& probability);

// The Dice loss from its sums, ... x 3 x 2 (sum p y; sum p^2 + sum y^2) -> ...
at::Tensor dice_loss(const at::Tensor& sums);
// Of all samples: N x 3 x D x H x W twice -> 3 x 2.
at::Tensor dice_sums(const at::Tensor& probability, const at::Tensor& target);

// Least squares: the mean of (judgement - label)^2.
at::Tensor judged_error(const at::Tensor& judgement, double label);

class Method final : public methods::Method {
 public:
  explicit Method(const MethodSettings& settings);

  torch::nn::Module& module() override { return *module_; }
  std::vector<int> published_channels() const override { return order_.channels(); }
  std::vector<ParameterGroup> groups() override;
  std::vector<Stage> stages(std::int64_t steps) const override;
  data::DataRecipe recipe() const override;
  InferenceRecipe inference() const override;
  data::Extent extent_multiple() const override { return {16, 16, 16}; }
  void initialise() override;
  Loss loss(const std::string& phase, const Batch& batch, const Progress& progress) override;
  void end_step(const Progress&) override { judged_.clear(); }
  at::Tensor forward(const at::Tensor& image, SubsetMask subset) override;
  // Precisions of every level and modality, then means times precisions.
  Features encode(const at::Tensor& image) override;
  at::Tensor decode(const Features& features, const std::vector<SubsetMask>& subsets) override;

  // The images of all modalities as they are rebuilt from those of a subset, from posterior means:
  // N x M x D x H x W.
  at::Tensor complete(const at::Tensor& image, SubsetMask subset) const;

 private:
  using LevelExperts = std::vector<Experts>;  // finest first; modalities in the published order
  struct Pass {
    std::vector<losses::Gaussian> posterior;
    at::Tensor logits, images;  // images in the published order
  };
  struct Judged {
    at::Tensor fake, real;  // N x (3 + M) x D x H x W
  };
  LevelExperts experts(const at::Tensor& image, const models::ForwardMode& mode) const;
  Pass pass(const LevelExperts& experts, const std::vector<SubsetMask>& subsets,
            std::vector<std::uint64_t> noise, bool rebuild_with_gradient) const;
  struct Passes {
    Pass full, part;
  };
  Passes passes(const Batch& batch, const Progress& progress) const;
  static Judged judged(const Passes& made);
  Loss generator_loss(const Batch& batch, const Progress& progress);
  Loss discriminator_loss(const Batch& batch, const Progress& progress);

  Options options_;
  data::Extent patch_;
  ModalityOrder order_;
  std::shared_ptr<torch::nn::Module> module_ = std::make_shared<torch::nn::Module>();
  std::shared_ptr<Network> network_;
  std::shared_ptr<Discriminator> discriminator_;
  KeptTensors<Judged> judged_;  // of the generator's phase, for the discriminator's
};

const MethodEntry& entry();

}  // namespace lacuna::methods::ra_hved
