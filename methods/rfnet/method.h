// RFNet: region-aware fusion (Ding, Yu, Yang, ICCV 2021; published code dyh127/RFNet, commit
// 1e475fa).
//
// One encoder per modality sees its image, missing or not; missing features are 0 where modalities
// meet. Training phase, Adam with AMSGrad:
//   L = fuse + sep + prm, each cross entropy + Dice over the batch: of the fused output, of the
//   four outputs of the single-modality decoder, of the four probability maps; fuse * 0 in the
//   warm-up.
// Raw outputs: logits of background, necrosis, oedema, enhancing tumour. Any number of modalities.
// Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "methods/rfnet/network.h"
#include "methods/rfnet/options.h"
#include "methods/shared/brain_box_method.h"

namespace lacuna::methods::rfnet {

class Method final : public BrainBoxMethod {
 public:
  explicit Method(const MethodSettings& settings);

  torch::nn::Module& module() override { return *network_; }
  data::Extent extent_multiple() const override { return {8, 8, 8}; }

  void initialise() override { network_->initialise(); }
  Loss loss(const std::string& phase, const Batch& batch, const Progress& progress) override;

  at::Tensor forward(const at::Tensor& image, SubsetMask subset) override;
  Features encode(const at::Tensor& image) override;
  at::Tensor decode(const Features& features, const std::vector<SubsetMask>& subsets) override;

  Network& network() { return *network_; }

 private:
  Method(const MethodSettings& settings, const Options& options);
  void check(const at::Tensor& image, const char* what) const;

  Options options_;
  std::shared_ptr<Network> network_;
};

const MethodEntry& entry();

}  // namespace lacuna::methods::rfnet
