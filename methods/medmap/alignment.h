// MedMAP between the images and a host: the shared encoder T* and the anchor that modalities are
// drawn to. With modalities j = 1 .. J and z_j the mapped image (placement input) or the host's
// finest features of modality j (stage1):
//
//   a = sum_j w_j z_j,   w = softmax(weights)          (or another anchor, options.h)
//   L_A = 1/J sum_j mean (z_j - a)^2
//
// T*: twice a 3x3x3 convolution J -> J without bias, normalisation, ReLU. It mixes modalities, so
// missing images are 0 before it, or they would leak. Names are those of the published code.
// Not thread-safe.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torch/nn/module.h>

#include "methods/medmap/options.h"
#include "methods/shared/input_map.h"
#include "methods/shared/modality_order.h"
#include "models/batch_norm.h"

namespace lacuna::methods::medmap {

using data::SubsetMask;

class Alignment final : public InputMap {
 public:
  // Throws ConfigError for an anchor that is no modality of the cohort or cannot stand for one.
  Alignment(const data::ModalitySet& cohort, const Options& options);

  at::Tensor image(const at::Tensor& image, const std::vector<SubsetMask>& subsets,
                   bool training) override;
  bool maps_first_level() const override { return options_.placement == Placement::kFirstLevel; }
  void first_level(std::vector<at::Tensor>& features, const std::vector<SubsetMask>& subsets,
                   const std::vector<SubsetMask>& available, bool training) override;
  bool leaves_out_missing() const override;

  const std::shared_ptr<torch::nn::Module>& module() const { return module_; }
  void initialise();
  // Parameters that the alignment or the host's loss reaches; without a mixture no weights.
  std::vector<std::string> trained() const;
  // L_A of the last image() or first_level() in training with gradients; undefined: there was none.
  at::Tensor take_loss() { return std::exchange(loss_, at::Tensor()); }
  // The share of each modality in the anchor, by the cohort's names; empty without a mixture.
  std::vector<std::pair<std::string, double>> shares() const;

  // The shared encoder: N x J x D x H x W in the order of names().
  at::Tensor encode(const at::Tensor& image, bool training);
  // L_A of z_j (N x c x spatial each, in the order of names()); included: N x J, 1 where z_j counts
  // for a sample, undefined: everywhere.
  at::Tensor loss_of(const std::vector<at::Tensor>& z, const at::Tensor& included) const;
  const std::vector<std::string>& names() const { return order_.names(); }

 private:
  struct Layer {
    at::Tensor weight;
    std::shared_ptr<models::BatchNorm> norm;
  };
  bool mixes() const;
  at::Tensor apply(const Layer& layer, const at::Tensor& x, bool training) const;
  // N or 1 x J: normalised over what is allowed (N x J, undefined: all).
  at::Tensor mixture(const at::Tensor& allowed) const;
  at::Tensor anchor(const std::vector<at::Tensor>& z, const at::Tensor& allowed) const;

  Options options_;
  ModalityOrder order_;
  std::size_t anchor_place_ = 0;  // of the anchor `modality`
  std::shared_ptr<torch::nn::Module> module_ = std::make_shared<torch::nn::Module>();
  at::Tensor weights_;
  std::vector<Layer> layers_;
  at::Tensor loss_;
};

}  // namespace lacuna::methods::medmap
