// The baseline that anyone tries first: a plain 3-D U-Net over all modalities as input channels,
// with zeros where one is missing. It is told nothing about what is missing.
//
// Network, optimiser and loss follow nnU-Net's recipe for region-based training (Isensee et al.
// 2021); training draws a random subset per sample, so that the comparison with missing-modality
// methods is about the method and not about what it has seen. Output channels: ET, TC, WT and, with
// the option resection, RC, each a sigmoid.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "methods/method.h"
#include "methods/registry.h"
#include "methods/unet/network.h"
#include "methods/unet/options.h"

namespace lacuna::methods::unet {

class Method final : public methods::Method {
 public:
  explicit Method(const MethodSettings& settings);

  torch::nn::Module& module() override { return *network_; }
  std::vector<ParameterGroup> groups() override;
  std::vector<Stage> stages(std::int64_t steps) const override;
  data::DataRecipe recipe() const override;
  InferenceRecipe inference() const override;
  data::Extent extent_multiple() const override;
  void initialise() override { network_->initialise(); }
  // Dice + cross entropy, each the mean over regions; with deep supervision the weighted mean over
  // levels with weights 1, 1/2, 1/4, ...
  Loss loss(const std::string& phase, const Batch& batch, const Progress& progress) override;
  at::Tensor forward(const at::Tensor& image, SubsetMask subset) override;

 private:
  Options options_;
  std::vector<data::Region> regions_;  // one per output channel
  std::shared_ptr<Network> network_;
};

const MethodEntry& entry();

}  // namespace lacuna::methods::unet
