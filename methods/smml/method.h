// SMML: semantic-guided masked mutual learning (AAAI 2025, arXiv 2507.07592; published code
// banbooliang/SMML, commit d401541, whose loss helpers are missing).
//
// Two mmFormer networks see a case under two different subsets and teach each other. Training
// phase, Adam with AMSGrad, L = L_1 + L_2 in one backward pass; each L_i moves network i alone:
//   L_i = fuse + sep + prm + sam + prototype + [pixel_i + refinement_i from epoch 101 of 1000]
// fuse, sep, prm: as in mmformer; sam: of the refined output, which moves the refinement alone;
// prototype: the networks' relations between classes; pixel: where network i is worse it is drawn
// to the other; refinement: KL(main || refined).
//
// The refinement takes masks that a promptable model proposed, made by the user beforehand and kept
// with the cases as label maps; it serves training alone. Raw outputs: logits of background,
// necrosis, oedema, enhancing tumour, the mean of both networks'. One extent, that of the patch.
// Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "methods/method.h"
#include "methods/registry.h"
#include "methods/shared/modality_order.h"
#include "methods/smml/network.h"
#include "methods/smml/options.h"

namespace lacuna::methods::smml {

inline constexpr int kClasses = 4;

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

  at::Tensor forward(const at::Tensor& image, SubsetMask subset) override;
  Features encode(const at::Tensor& image) override;
  at::Tensor decode(const Features& features, const std::vector<SubsetMask>& subsets) override;

  // model1, and model2 unless there is one alone.
  Network& network(std::size_t i) { return *networks_.at(i); }

 private:
  // What a batch brings for the refinement; not defined: no sample has any.
  struct Masks {
    at::Tensor soft;      // N x M x C x D x H x W, network's order of modalities
    at::Tensor included;  // N, 1 where the sample has masks
  };
  Masks masks_of(const Batch& batch, at::ScalarType type) const;
  // Losses between the networks: pixel of each, prototype of each (equal values, each with the
  // gradient of its own network), as 4 values.
  std::vector<at::Tensor> between(const std::vector<models::TokenFusionNetwork::Trained>& outputs,
                                  const at::Tensor& one_hot, const Batch& batch) const;
  at::Tensor mean_of(const std::vector<at::Tensor>& logits) const;

  Options options_;
  ModalityOrder order_;
  data::Extent patch_;
  std::shared_ptr<torch::nn::Module> module_ = std::make_shared<torch::nn::Module>();
  std::vector<std::shared_ptr<Network>> networks_;
};

const MethodEntry& entry();

}  // namespace lacuna::methods::smml
