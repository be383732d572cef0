// DeMoSeg: decoupled features of a modality and of the others (Yang et al., IEEE BIBM 2024; code
// kk42yy/DeMoSeg, commit 73cd4bb).
//
//   loss = sum_i w_i (Dice_i + CE_i) + KL,   w = (8, 4, 2, 1, 0) / 15, level 0 the finest
//   KL   = 1/2 sum over samples of the batch and ordered pairs m != j of what is there of
//          mean(q (ln q - ln s)): q softmax of quarter 0 of a_j, s of quarter m XOR j of a_m
//
// The network is in network.h. A branch of a modality that no sample has, the gates and the head of
// the coarsest level have no gradient and are left alone, decay included. Evaluation encodes each
// modality's branch once per window. Not thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "methods/demoseg/network.h"
#include "methods/demoseg/options.h"
#include "methods/method.h"
#include "methods/registry.h"
#include "methods/shared/modality_order.h"

namespace lacuna::methods::demoseg {

inline constexpr std::int64_t kClasses = 4;

// Per sample and class without background: 1 - (2 sum p y + 1e-5) / (sum p + sum y + 1e-5), mean;
// cross entropy: mean over voxels and samples. label: N x D x H x W of classes.
struct LevelLoss {
  at::Tensor dice, cross;
};
LevelLoss level_loss(const at::Tensor& logits, const at::Tensor& label);

// The label of level i: voxel 2^i k + 2^(i - 1) of each axis.
at::Tensor level_label(const at::Tensor& label, int level);

// Sum over ordered pairs of one sample, 0 where there are none. own: a_m, 1 x C x D x H x W.
at::Tensor stand_in_divergence(const std::vector<at::Tensor>& own, data::SubsetMask present,
                               int slots);

class Method final : public methods::Method {
 public:
  explicit Method(const MethodSettings& settings);

  torch::nn::Module& module() override { return *network_; }
  std::vector<int> published_channels() const override { return order_.channels(); }
  std::vector<ParameterGroup> groups() override;
  std::vector<Stage> stages(std::int64_t steps) const override;
  data::DataRecipe recipe() const override;
  InferenceRecipe inference() const override;
  data::Extent extent_multiple() const override { return {32, 32, 32}; }
  void initialise() override { network_->initialise(); }
  Loss loss(const std::string& phase, const Batch& batch, const Progress& progress) override;
  at::Tensor forward(const at::Tensor& image, SubsetMask subset) override;
  // b_m of each modality, in the network's order.
  Features encode(const at::Tensor& image) override;
  at::Tensor decode(const Features& features, const std::vector<SubsetMask>& subsets) override;

  Network& network() { return *network_; }

 private:
  // Bit j for the network's channel j.
  std::vector<SubsetMask> in_order(const std::vector<SubsetMask>& subsets) const;

  Options options_;
  data::Extent patch_;
  ModalityOrder order_;
  std::shared_ptr<Network> network_;
};

const MethodEntry& entry();

}  // namespace lacuna::methods::demoseg
