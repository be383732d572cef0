// What SMU-Net and ACN have in common: a network that sees all modalities (full) and one that sees
// what is left (missing), each a Myronenko U-Net, trained together from scratch with
//
//   (1 - a) Dice_f + a Dice_m + w(e) consistency + terms of each method,
//   w(e) = 10 exp(-5 (1 - min(e, 20) / 20)^2) with epoch e,
//
// and discriminators, which learn in a phase of their own. The missing network alone segments.
//
// Published are families of such pairs, one per subset: option `subset` makes one of them, whose
// missing network has an input channel per modality of the subset. Without it one student with
// zeros in place of what is missing serves all subsets.
//
// Channels of both outputs: ED (oedema), NET (necrosis), ET, BG, independent sigmoids; BG is in no
// loss unless `background` asks for it. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/types/tissue.h"
#include "methods/method.h"
#include "methods/registry.h"
#include "methods/shared/modality_order.h"
#include "methods/shared/option_binding.h"
#include "models/forward_mode.h"

namespace lacuna::methods {

struct CoTrainingOptions {
  bool official = false;
  std::optional<std::string> subset;  // null: one student for all
  bool reset_discriminator = false, shifted_rate = false, evaluation_dropout = false;
  bool centre_crop = false, dropout = true, background = false, region_targets = false;
  double threshold = 0.5, student_weight = 0.6;
};

// The statements that both methods make of their options.
template <typename Options>
void bind_co_training(OptionBinding<Options>& binding, double student_weight) {
  binding
      .flag("official", &Options::official, false,
            "The published code wherever it deviates from the paper or from its own intention: the "
            "default of each key below that is null, crops without the last corner.")
      .text("subset", &Options::subset, std::nullopt,
            "The modalities that this run's student is made for, as in FLAIR+T1c: its input has "
            "those channels and it serves no other subset (published: a family of such runs). "
            "null: one student with zeros for what is missing, for all subsets.")
      .flag("reset_discriminator", &Options::reset_discriminator, by_official(false, true),
            "The Adam of a discriminator starts anew in every step.")
      .flag("shifted_rate", &Options::shifted_rate, by_official(false, true),
            "Each epoch has the learning rate of the next one, the last epoch none.")
      .flag("evaluation_dropout", &Options::evaluation_dropout, by_official(false, true),
            "Dropout stays on in evaluation.")
      .flag("centre_crop", &Options::centre_crop, by_official(false, true),
            "Segment and score one crop in the middle of each volume, not the volume in windows.")
      .flag("dropout", &Options::dropout, true, "Dropout 0.2 before the decoder in training.")
      .flag("background", &Options::background, false,
            "The background channel is learned, too; in the published code it is in no loss.")
      .choice("targets", &Options::region_targets, "tissues",
              {{"tissues", false}, {"regions", true}},
              "Channels: tissues ED, NET, ET, BG (published) or regions WT, TC, ET, BG.")
      .number("threshold", &Options::threshold, 0.5,
              "Probability above which a voxel belongs to a channel; 0.4 in SMU-Net's evaluation.",
              {.minimum = 0, .maximum = 1})
      .number("student_weight", &Options::student_weight, student_weight,
              "Weight of the Dice of the missing network; the full one's has the rest to 1.",
              {.minimum = 0, .maximum = 1});
}

class CoTraining : public Method {
 public:
  torch::nn::Module& module() override { return *module_; }
  std::vector<Stage> stages(std::int64_t steps) const override;
  data::DataRecipe recipe() const override;
  InferenceRecipe inference() const override;
  std::optional<SubsetMask> serves() const override { return serves_; }
  std::vector<int> published_channels() const override { return order_.channels(); }
  at::Tensor forward(const at::Tensor& image, SubsetMask subset) final;

  // The channels' tissues: the label that each channel learns.
  static std::vector<data::Region> channels(bool region_targets);

 protected:
  // order: of the published networks' channels. Throws ConfigError for a subset that the cohort
  // does not have.
  CoTraining(const MethodSettings& settings, const CoTrainingOptions& options,
             const std::vector<std::string>& order);

  // Those of a batch whose case has every modality: the full network sees them alone, and what
  // compares the two networks looks at them. A case that lacks an image has none to teach from.
  struct Complete {
    Batch batch;  // of them; empty where there is none
    std::vector<std::int64_t> samples;
    double share = 1;  // of all samples
    bool none() const { return samples.empty(); }
    at::Tensor of(const at::Tensor& all) const;  // their rows
    // The mean over all samples of a term that is a mean over these: the others add nothing. `like`
    // says of which kind the number is where there is none.
    at::Tensor mean(const std::function<at::Tensor()>& term, const at::Tensor& like) const;
  };
  static Complete complete_of(const Batch& batch);

  struct Terms {
    at::Tensor dice_full, dice_missing, consistency;
  };
  // From probabilities, N x C x D x H x W: `full` of the complete samples, `missing` and `label` of
  // all. `softmax_kl`: consistency as in ACN's option `kl`.
  Terms common_terms(const Complete& complete, const at::Tensor& full, const at::Tensor& missing,
                     const at::Tensor& label, bool softmax_kl = false) const;
  // (1 - a) Dice_f + a Dice_m + w(e) consistency.
  at::Tensor weighted(const Terms& terms, const Progress& progress) const;

  at::Tensor full_input(const at::Tensor& image) const { return order_.image(image); }
  // What the missing network sees of each sample: its own channels, or zeros for the others.
  at::Tensor missing_input(const at::Tensor& image, const std::vector<SubsetMask>& subsets) const;
  std::int64_t missing_channels() const;  // of that input
  // 0 for the full network, 1 for the missing one.
  models::SampleDropout dropout_of(const Batch& batch, const Progress& progress,
                                   std::uint32_t network) const;

  // The missing network's logits of an input as missing_input() makes it.
  virtual at::Tensor segment(const at::Tensor& input, const models::ForwardMode& mode) const = 0;
  // Groups of the discriminators' phase; empty: there is none.
  virtual std::vector<std::string> judges() const = 0;

  std::shared_ptr<torch::nn::Module> module_ = std::make_shared<torch::nn::Module>();
  data::ModalitySet modalities_;
  data::Extent patch_;
  double width_;

 private:
  CoTrainingOptions common_;
  std::vector<data::Region> channels_;
  ModalityOrder order_;  // of the networks' channels
  std::optional<SubsetMask> serves_;
};

inline constexpr const char* kCoTrainedNetworks = "networks";

}  // namespace lacuna::methods
