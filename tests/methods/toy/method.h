// The method that docs/add-a-method.md builds step by step: an encoder per modality, the mean of
// the features that are available (after HeMIS), a head.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "methods/method.h"
#include "methods/registry.h"
#include "tests/methods/toy/network.h"
#include "tests/methods/toy/options.h"

namespace lacuna::methods::toy {

class Method final : public methods::Method {
 public:
  explicit Method(const MethodSettings& settings);

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
  Options options_;
  std::shared_ptr<Network> network_;
};

const MethodEntry& entry();

}  // namespace lacuna::methods::toy
