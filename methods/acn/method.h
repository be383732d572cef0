// ACN: adversarial co-training network (Wang et al., MICCAI 2021, arXiv 2106.14591; published code
// Wangyixinxin/ACN, commit 0643c57).
//
// A full and a missing ("mono") network (methods/shared/co_training.h) with three couplings:
//
//   joint          0.2 Dice_f + 0.8 Dice_m + w(e) consistency + 0.5 MI
//                  + 1e-3 BCE(D_main(I(logit_m)), full) + 2e-4 BCE(D_feature(df_m), full)
//   discriminator  for each of both: BCE(D(full), full) / 2 + BCE(D(missing), missing) / 2
//
// I: entropy maps (EnA), df: bottleneck features before dropout (KnA), MI: variational information
// of the full network's features in the missing one's (MMI). Full is label 0, missing 1. The
// adversarial terms reach the missing network alone. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "methods/acn/network.h"
#include "methods/acn/options.h"
#include "methods/shared/input_map.h"
#include "methods/shared/kept_tensors.h"
#include "models/conv_discriminator.h"

namespace lacuna::methods::acn {

class Method final : public CoTraining {
 public:
  explicit Method(const MethodSettings& settings);

  std::vector<ParameterGroup> groups() override;
  // The auto-encoder starts at a sixteenth of the extent.
  data::Extent extent_multiple() const override { return {16, 16, 16}; }
  void initialise() override;
  Loss loss(const std::string& phase, const Batch& batch, const Progress& progress) override;
  void end_step(const Progress&) override { judged_.clear(); }

  Network& full() { return *full_; }
  Network& missing() { return *missing_; }
  models::ConvDiscriminator& judge_of_entropy() { return *judge_of_entropy_; }
  models::ConvDiscriminator& judge_of_features() { return *judge_of_features_; }

 private:
  // What the discriminators see.
  struct Judged {
    at::Tensor entropy_full, entropy_missing, features_full, features_missing;
    Complete complete;  // whose rows the full network's are
  };
  struct Outputs {
    Complete complete;
    Output full, missing;  // full: of the complete samples
  };
  at::Tensor full_image(const Batch& batch) const;
  Outputs run_networks(const Batch& batch, const Progress& progress) const;
  Judged judged(const Outputs& out) const;
  Loss joint_loss(const Batch& batch, const Progress& progress);
  Loss discriminator_loss(const Batch& batch, const Progress& progress);
  at::Tensor information(const Outputs& out) const;
  at::Tensor auto_encoding(const Network& network, const at::Tensor& features,
                           const at::Tensor& image, const Batch& batch, const Progress& progress,
                           std::uint32_t number) const;
  at::Tensor segment(const at::Tensor& input, const models::ForwardMode& mode) const override;
  std::vector<std::string> judges() const override;

  Options options_;
  std::shared_ptr<InputMap> map_;  // of the full network alone; null: none
  std::shared_ptr<Network> full_, missing_;
  std::shared_ptr<models::ConvDiscriminator> judge_of_entropy_, judge_of_features_;
  KeptTensors<Judged> judged_;
};

const MethodEntry& entry();

}  // namespace lacuna::methods::acn
