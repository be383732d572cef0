// SMU-Net: style matching U-Net (Azad, Khosravi, Merhof, MIDL 2022, arXiv 2204.02961; published
// code rezazad68/smunet, commit 251f3ad).
//
// A full and a missing network (methods/shared/co_training.h), both with a style branch:
//
//   joint          0.4 Dice_f + 0.6 Dice_m + w(e) consistency + 0.2 MSE(content_f, content_m)
//                  + Gram(style_f, style_m) + 2e-4 BCE(D(style_m), full)
//   discriminator  BCE(D(style_f), full) + BCE(D(style_m), missing), on the styles of the joint
//   phase
//
// Full is label 0, missing 1. Nothing is detached in the joint phase: both networks move; the
// adversarial term reaches the missing one alone. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "methods/shared/co_training.h"
#include "methods/shared/kept_tensors.h"
#include "methods/smu_net/options.h"
#include "models/myronenko_unet.h"
#include "models/style_discriminator.h"

namespace lacuna::methods::smu_net {

class Method final : public CoTraining {
 public:
  explicit Method(const MethodSettings& settings);

  std::vector<ParameterGroup> groups() override;
  data::Extent extent_multiple() const override { return {8, 8, 8}; }
  void initialise() override;
  Loss loss(const std::string& phase, const Batch& batch, const Progress& progress) override;
  void end_step(const Progress&) override { styles_.clear(); }

  models::MyronenkoUnet& full() { return *full_; }
  models::MyronenkoUnet& missing() { return *missing_; }
  models::StyleDiscriminator& discriminator() { return *discriminator_; }

 private:
  struct Styles {
    at::Tensor full, missing;  // full: of the complete samples
    Complete complete;
  };
  struct Outputs {
    Complete complete;
    models::MyronenkoOutput full, missing;  // full: of the complete samples
  };
  Outputs run_networks(const Batch& batch, const Progress& progress) const;
  Loss joint_loss(const Batch& batch, const Progress& progress);
  Loss discriminator_loss(const Batch& batch, const Progress& progress);
  at::Tensor segment(const at::Tensor& input, const models::ForwardMode& mode) const override;
  std::vector<std::string> judges() const override;

  Options options_;
  std::shared_ptr<models::MyronenkoUnet> full_, missing_;
  std::shared_ptr<models::StyleDiscriminator> discriminator_;
  KeptTensors<Styles> styles_;
};

const MethodEntry& entry();

}  // namespace lacuna::methods::smu_net
