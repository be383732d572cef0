// MCTSeg: multimodal feature distillation with a CNN-transformer network (Kang et al., arXiv
// 2404.14019, 2024; published code mkang315/MCTSeg, commit dfdbe93).
//
// Per modality an encoder and a transformer with convolutional adapters; what a sample lacks is 0
// where modalities meet. In training a further encoder sees all four images at once, the teacher of
// the others' features. Training phase, Adam with AMSGrad:
//   L = fuse + all + aux + mod + l1
// fuse, all, aux, mod: cross entropy + Dice over the batch of the fused output, of the teacher's,
// of the fused decoder's levels, of each modality alone; l1: mean absolute differences between the
// teacher's features and each modality's at levels 3 to 5.
//
// Raw outputs: logits of background, necrosis, oedema, enhancing tumour. Any number of modalities;
// one extent, that of the patch. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "methods/mctseg/network.h"
#include "methods/mctseg/options.h"
#include "methods/method.h"
#include "methods/registry.h"
#include "methods/shared/brain_box_method.h"

namespace lacuna::methods::mctseg {

class Method final : public BrainBoxMethod {
 public:
  explicit Method(const MethodSettings& settings);

  torch::nn::Module& module() override { return *network_; }
  std::vector<std::string> ignored_official_names() const override;
  data::Extent extent_multiple() const override { return {16, 16, 16}; }

  void initialise() override { network_->initialise(); }
  Loss loss(const std::string& phase, const Batch& batch, const Progress& progress) override;

  at::Tensor forward(const at::Tensor& image, SubsetMask subset) override;
  Features encode(const at::Tensor& image) override;
  at::Tensor decode(const Features& features, const std::vector<SubsetMask>& subsets) override;

  Network& network() { return *network_; }

 private:
  Method(const MethodSettings& settings, const Options& options);
  std::vector<models::Contribution> contributions(const at::Tensor& image,
                                                  const std::vector<bool>& present) const;

  Options options_;
  std::shared_ptr<Network> network_;
};

// Sum over levels and modalities of the mean absolute difference between the teacher's features and
// a modality's. teacher: by level; students: by modality, then level; included: N x M, 1 where the
// case has the modality; undefined: everywhere.
at::Tensor feature_distance(const std::vector<at::Tensor>& teacher,
                            const std::vector<std::vector<at::Tensor>>& students,
                            const at::Tensor& included);

const MethodEntry& entry();

}  // namespace lacuna::methods::mctseg
