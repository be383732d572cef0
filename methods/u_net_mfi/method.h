// U-Net-MFI: modality-adaptive feature interaction (Zhao, Yang, Sun, MICCAI 2022; code
// zzc1909/UNET-MFI).
//
//   each modality has a U-Net of its own, with zeros for its image where it is missing; on the way
//   an interaction adds to its features a weighted sum of all modalities', by weights that a small
//   network makes of their means and of what is there (methods/u_net_mfi/network.h)
//   loss = sum over 13 outputs (4 at a quarter, 4 at half resolution, 4 branches, 1 combined) of
//          mean over WT, TC, ET of [1 - (2 sum p y + e)/(sum p + sum y + e) + BCE / 2],  e = 1e-5
//   segmentation = mean of the branches' and the combined logits
//
// Evaluation shares what precedes the first interaction, with the image and with zeros. Not
// thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "methods/method.h"
#include "methods/registry.h"
#include "methods/shared/modality_order.h"
#include "methods/shared/option_binding.h"
#include "methods/u_net_mfi/network.h"

namespace lacuna::methods::u_net_mfi {

struct Options {
  bool official = false, local_dice = false;
  std::int64_t et_min = 0;
};

const OptionBinding<Options>& binding();

// WT, TC, ET: the order of the output channels.
std::vector<data::Region> regions();

class Method final : public methods::Method {
 public:
  explicit Method(const MethodSettings& settings);

  torch::nn::Module& module() override { return *network_; }
  std::vector<std::string> ignored_official_names() const override;
  std::vector<int> published_channels() const override { return order_.channels(); }
  std::vector<ParameterGroup> groups() override;
  std::vector<Stage> stages(std::int64_t steps) const override;
  data::DataRecipe recipe() const override;
  InferenceRecipe inference() const override;
  data::Extent extent_multiple() const override { return {8, 8, 8}; }
  void initialise() override;
  Loss loss(const std::string& phase, const Batch& batch, const Progress& progress) override;
  // The mean of the five final logits.
  at::Tensor forward(const at::Tensor& image, SubsetMask subset) override;
  // Of each modality, in the network's order: skip and features of its image, then of zeros.
  Features encode(const at::Tensor& image) override;
  at::Tensor decode(const Features& features, const std::vector<SubsetMask>& subsets) override;

  // All outputs for images in the network's order. `code` (N x M) alone tells the interactions what
  // is there: it does not change the images.
  Outputs run(const at::Tensor& image, const at::Tensor& code, bool deep,
              std::vector<std::vector<at::Tensor>>* interacted = nullptr) const;
  const ModalityOrder& order() const { return order_; }

 private:
  Options options_;
  ModalityOrder order_;
  data::Extent patch_;
  std::shared_ptr<Network> network_;
};

const MethodEntry& entry();

}  // namespace lacuna::methods::u_net_mfi
