// M2FTrans: modality-masked fusion transformer (Shi et al., IEEE JBHI 28(1), 2024; published code
// Jun-Jie-Shi/M2FTrans, commit 03a0b28, its first version).
//
// One encoder per modality sees its image, missing or not. Learned fusion tokens see the tokens of
// the modalities that are there; what they pay attention to weights the features of every level.
// Training phase, AdamW with AMSGrad:
//   L = fuse + sep + prm, each cross entropy + Dice over the batch: of the fused output, of the
//   outputs of the single-modality decoder, of the five probability maps; sep alone in the warm-up.
// Raw outputs: logits of background, necrosis, oedema, enhancing tumour. Any number of modalities;
// one extent, that of the patch. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "methods/m2ftrans/network.h"
#include "methods/m2ftrans/options.h"
#include "methods/shared/brain_box_method.h"

namespace lacuna::methods::m2ftrans {

class Method final : public BrainBoxMethod {
 public:
  explicit Method(const MethodSettings& settings);

  torch::nn::Module& module() override { return *network_; }
  data::Extent extent_multiple() const override { return {16, 16, 16}; }

  void initialise() override { network_->initialise(); }
  Loss loss(const std::string& phase, const Batch& batch, const Progress& progress) override;

  at::Tensor forward(const at::Tensor& image, SubsetMask subset) override;
  Features encode(const at::Tensor& image) override;
  at::Tensor decode(const Features& features, const std::vector<SubsetMask>& subsets) override;

  Network& network() { return *network_; }

 private:
  Method(const MethodSettings& settings, const Options& options);
  TrainedGroup trained(const std::string& group, std::int64_t steps) const override;
  std::vector<std::vector<at::Tensor>> levels(const at::Tensor& image) const;

  Options options_;
  std::shared_ptr<Network> network_;
};

const MethodEntry& entry();

}  // namespace lacuna::methods::m2ftrans
