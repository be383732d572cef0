// MST-KDNet: knowledge distillation and style matching (Zhu et al., MICCAI 2025, arXiv 2507.22626;
// published code Quanato607/MST-KDNet, commit 2c77373).
//
// Two co-trained networks (methods/mst_kdnet/network.h): the teacher sees all modalities, the
// student zeros where one is missing. Joint phase, on both networks:
//   0.4 Dice_f + 0.6 Dice_m + w(e) consistency + 0.2 content + 0.2 features + 1e8 EVD + SLKD + GSM
//   + 2e-4 BCE(D(style_m), full),   w(e) = 10 exp(-5 (1 - min(e, 20) / 20)^2) with epoch e
// Discriminator phase, on the styles of the joint phase: BCE(D(style_f), full) + BCE(D(style_m),
// missing). Raw outputs: the student's logits of NETC, SNFH, ET, BG. Not thread-safe.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "data/types/tissue.h"
#include "methods/method.h"
#include "methods/mst_kdnet/network.h"
#include "methods/mst_kdnet/options.h"
#include "methods/registry.h"
#include "models/style_discriminator.h"

namespace lacuna::methods::mst_kdnet {

class Method final : public methods::Method {
 public:
  explicit Method(const MethodSettings& settings);

  torch::nn::Module& module() override { return *module_; }
  std::vector<ParameterGroup> groups() override;
  std::vector<Stage> stages(std::int64_t steps) const override;
  data::DataRecipe recipe() const override;
  InferenceRecipe inference() const override;
  data::Extent extent_multiple() const override { return {32, 32, 32}; }

  void initialise() override;
  Loss loss(const std::string& phase, const Batch& batch, const Progress& progress) override;
  void end_step(const Progress&) override { styles_.clear(); }
  at::Tensor forward(const at::Tensor& image, SubsetMask subset) override;

  Network& teacher() { return *teacher_; }
  Network& student() { return *student_; }
  models::StyleDiscriminator& discriminator() { return *discriminator_; }

  // The channels' tissues: the label that each channel learns.
  static std::vector<data::Region> channels(const Options& options);

 private:
  // The teacher sees the cases that have every modality and no others: it would take zeros for
  // images.
  struct Outputs {
    Output missing;       // of all samples
    Output full, beside;  // of those that the teacher sees: its output, and the student's
    at::Tensor target;    // their labels
    double taught = 0;    // their share of the samples
  };
  struct TeacherTerms {
    at::Tensor dice;  // of the teacher, per channel
    std::vector<std::pair<std::string, at::Tensor>> parts;
  };
  // The styles of one micro-batch, kept from the joint phase for the discriminator.
  struct Styles {
    at::Tensor image, full, missing;
    double taught = 0;
  };

  // Training passes of both networks.
  Outputs run_networks(const Batch& batch, const Progress& progress, bool update_running) const;
  TeacherTerms teacher_terms(const Outputs& out) const;
  Loss joint_loss(const Outputs& out, const Batch& batch, const Progress& progress);
  Loss discriminator_loss(const Batch& batch, const Progress& progress);
  std::vector<at::Tensor> gram_features(const Output& out) const;

  Options options_;
  data::Extent patch_;
  double attention_weight_;
  std::vector<data::Region> channels_;
  std::shared_ptr<torch::nn::Module> module_;
  std::shared_ptr<Network> teacher_, student_;
  std::shared_ptr<models::StyleDiscriminator> discriminator_;
  std::deque<Styles> styles_;
};

const MethodEntry& entry();

}  // namespace lacuna::methods::mst_kdnet
