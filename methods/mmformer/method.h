// mmFormer: multimodal medical transformer (Zhang et al., MICCAI 2022, arXiv 2206.02425; published
// code YaoZhang93/mmFormer, commit b18663a, which is not the model of the paper: see deviations).
//
// One encoder and one transformer per modality see its image, missing or not; missing features and
// tokens are 0 where modalities meet. Training phase, Adam with AMSGrad:
//   L = fuse + sep + prm, each cross entropy + Dice over the batch: of the fused output, of the
//   four outputs of the single-modality decoder, of the four deep outputs of the fused decoder.
// Raw outputs: logits of background, necrosis, oedema, enhancing tumour. Any number of modalities;
// one extent, that of the patch. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "methods/method.h"
#include "methods/mmformer/options.h"
#include "methods/registry.h"
#include "methods/shared/brain_box_method.h"
#include "methods/shared/input_map.h"
#include "models/token_fusion_network.h"

namespace lacuna::methods::mmformer {

using Network = models::TokenFusionNetwork;

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
  bool learns(const std::string& name) const override {
    return !models::is_unused_by_token_fusion(name);
  }
  // The input map's part in the finest features, if it has any.
  Network::FinestMap finest_map(const std::vector<SubsetMask>& subsets,
                                const std::vector<SubsetMask>& available, bool training) const;

  Options options_;
  std::shared_ptr<InputMap> map_;  // null: none
  std::shared_ptr<Network> network_;
};

const MethodEntry& entry();

}  // namespace lacuna::methods::mmformer
