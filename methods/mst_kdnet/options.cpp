#include "methods/mst_kdnet/options.h"

#include <cmath>

namespace lacuna::methods::mst_kdnet {

const OptionBinding<Options>& binding() {
  using losses::ExtremesOver;
  const auto as_published = by_official(false, true);
  const OptionLimits weight{.minimum = 0};
  static const auto options =
      OptionBinding<Options>()
          .flag("official", &Options::official, false,
                "The published code wherever it deviates from the paper or from its own intention: "
                "the default of each key below that is null, crops without the last corner.")
          .flag("teacher_background", &Options::teacher_background, as_published,
                "Slips of the published code: the student's Dice and consistency of the background "
                "channel are the teacher's Dice.")
          .flag("spatial_logits", &Options::spatial_logits, as_published,
                "Logits are standardised along the last axis and compared as KL(student, teacher) "
                "(published code), not over classes as KL(teacher, student) (paper).")
          .flag("reset_discriminator", &Options::reset_discriminator, as_published,
                "The discriminator's Adam starts anew in every step (published code).")
          .flag("shifted_rate", &Options::shifted_rate, as_published,
                "Each epoch has the learning rate of the next one, the last epoch none (published "
                "code).")
          .flag("evaluation_dropout", &Options::evaluation_dropout, as_published,
                "Dropout stays on in evaluation (published code).")
          .flag("centre_crop", &Options::centre_crop, as_published,
                "Segment and score one crop in the middle of each volume (published code), not the "
                "volume in windows.")
          .choice("statistics", &Options::running_statistics, "sample",
                  {{"sample", false}, {"running", true}},
                  "Batch norm in evaluation: statistics of each window (as trained with a batch of "
                  "one) or running averages.")
          .flag("dropout", &Options::dropout, true,
                "Dropout in training: 0.2 before the decoder, 0.1 in the transformer.")
          .choice("targets", &Options::region_targets, "tissues",
                  {{"tissues", false}, {"regions", true}},
                  "Channels: tissues NETC, SNFH, ET, BG (released script) or regions WT, TC, ET, "
                  "BG (the paper's figure).")
          .flag("resection", &Options::resection, false,
                "A fifth channel for the resection cavity (2024 post-treatment labels).")
          .flag("shared_network", &Options::shared_network, false,
                "One network in two passes in place of two networks.")
          .flag("detach_teacher", &Options::detach_teacher, false,
                "No term that compares the two networks sends gradients to the teacher; the "
                "published code detaches nothing.")
          .choice("consistency_on", &Options::consistent_logits, "probabilities",
                  {{"probabilities", false}, {"logits", true}},
                  "What the consistency term compares in each channel: probabilities (published "
                  "code) or logits (paper, Eq. 5).")
          .added_later()
          .choice("extremes", &Options::extremes, "taps",
                  {{"taps", ExtremesOver::kTaps}, {"heads", ExtremesOver::kHeads}},
                  "Extreme attention values are taken over the four taps (published code) or over "
                  "the heads of each (paper).")
          .choice("gram", &Options::mean_gram, "published", {{"published", false}, {"mean", true}},
                  "Gram matrices are compared as published, which is numerically inert, or by the "
                  "mean over their entries.")
          .choice("gram_features", &Options::paper_gram_features, "published",
                  {{"published", false}, {"paper", true}},
                  "Features of the Gram matrices: last encoder convolution, style and content "
                  "(published code), or the paper's pooled encoder, transformer and first decoder "
                  "ones.")
          .choice("normalisation", &Options::zscore, "minmax",
                  {{"minmax", false}, {"zscore", true}},
                  "Images: min-max of the volume, or z-score of the non-zero voxels.")
          .number("beta2", &Options::beta2, 0.999,
                  "Second beta of the networks' Adam; 0.99 in the paper.",
                  {.minimum = 0, .maximum = 0.999999})
          .number("student_weight", &Options::student_weight, 0.6,
                  "Weight of the student's Dice; the teacher's has the rest to 1.",
                  {.minimum = 0, .maximum = 1})
          .number("content_weight", &Options::content_weight, 0.2,
                  "Weight of matching content features.", weight)
          .number("feature_weight", &Options::feature_weight, 0.2,
                  "Weight of matching the four features of the UNETR decoder.", weight)
          .number("attention_weight", &Options::attention_weight, std::nullopt,
                  "Weight of extreme value distillation of attention maps; null: 1e8 (n / 120)^4 "
                  "for n tokens, which is the published 1e8 at the published crop, with official "
                  "1e8.",
                  weight)
          .number("logit_weight", &Options::logit_weight, 1,
                  "Weight of the distillation of standardised logits.", weight)
          .number("temperature", [](Options& o) -> double& { return o.logits.temperature; }, 7,
                  "Temperature of that distillation.", {.minimum = 0.01})
          .number("gram_weight", &Options::gram_weight, std::nullopt,
                  "Weight of Gram matching; null: 1 as published, 0 with gram=mean (untuned).",
                  weight)
          .number("style_weight", &Options::style_weight, 0,
                  "Weight of the Gram style loss (variant for region targets).", weight)
          .number("adversarial_weight", &Options::adversarial_weight, 2e-4,
                  "Weight of the student's adversarial loss; 0: no discriminator phase.", weight);
  return options;
}

Options parse(const Json& resolved) {
  Options options = binding().parse(resolved);
  if (options.spatial_logits) {
    options.logits.axis = -1;
    options.logits.towards_student = true;
  }
  return options;
}

double attention_weight_for(std::int64_t tokens, const Options& options) {
  constexpr double kPublished = 1e8, kPublishedTokens = 120;
  if (options.attention_weight) return *options.attention_weight;
  if (options.official) return kPublished;
  return kPublished * std::pow(static_cast<double>(tokens) / kPublishedTokens, 4);
}

}  // namespace lacuna::methods::mst_kdnet
