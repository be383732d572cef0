// The method that docs/add-a-method.md builds step by step: an encoder per modality, the mean of
// the features that are available (after HeMIS), a head.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <torch/nn/modules/conv.h>

#include "methods/method.h"
#include "methods/registry.h"
#include "methods/shared/option_binding.h"

namespace lacuna::methods {

struct ToyOptions {
  double smooth;
};

class ToyNetwork : public torch::nn::Module {
 public:
  ToyNetwork(int modalities, std::int64_t channels);
  at::Tensor encode(const at::Tensor& image, int modality);  // N x channels x D x H x W
  at::Tensor head(const at::Tensor& feature);                // N x 3 x D x H x W

 private:
  std::vector<torch::nn::Conv3d> encoders_;
  torch::nn::Conv3d head_{nullptr};
};

class ToyMethod final : public Method {
 public:
  explicit ToyMethod(const MethodSettings& settings);

  torch::nn::Module& module() override { return *network_; }
  std::vector<ParameterGroup> groups() override;
  std::vector<Stage> stages(std::int64_t steps) const override;
  data::DataRecipe recipe() const override;
  InferenceRecipe inference() const override;
  data::Extent extent_multiple() const override { return {1, 1, 1}; }
  Loss loss(const std::string& phase, const Batch& batch, const Progress& progress) override;
  at::Tensor forward(const at::Tensor& image, SubsetMask subset) override;
  Features encode(const at::Tensor& image) override;
  at::Tensor decode(const Features& features, const std::vector<SubsetMask>& subsets) override;

 private:
  data::ModalitySet modalities_;
  ToyOptions options_;
  std::shared_ptr<ToyNetwork> network_;
};

const MethodEntry& toy_entry();

}  // namespace lacuna::methods
