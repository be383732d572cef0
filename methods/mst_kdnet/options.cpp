#include "methods/mst_kdnet/options.h"

#include <cmath>
#include <string>

namespace lacuna::methods {
namespace {

using Type = Option::Type;

Option flag(const char* path, const char* meaning) {
  return {.path = path, .type = Type::kBool, .fallback = "false", .meaning = meaning};
}

// null: ours, or with official the published code's.
Option deviation(const char* path, const char* meaning) {
  return {.path = path,
          .type = Type::kBool,
          .fallback = "null",
          .meaning = std::string(meaning) + " null: as official.",
          .nullable = true};
}

Option weight(const char* path, const char* fallback, const char* meaning) {
  return {
      .path = path, .type = Type::kNumber, .fallback = fallback, .meaning = meaning, .minimum = 0};
}

Option choice(const char* path, const char* meaning, std::vector<std::string> allowed) {
  return {.path = path,
          .type = Type::kString,
          .fallback = "\"" + allowed.front() + "\"",
          .meaning = meaning,
          .allowed = std::move(allowed)};
}

}  // namespace

const std::vector<Option>& mst_kdnet_options() {
  static const std::vector<Option> options = {
      flag("official",
           "The published code wherever it deviates from the paper or from its own intention: the "
           "default of each key below that is null, crops without the last corner."),
      deviation("teacher_background",
                "Slips of the published code: the student's Dice and consistency of the background "
                "channel are the teacher's Dice."),
      deviation("spatial_logits",
                "Logits are standardised along the last axis and compared as KL(student, teacher) "
                "(published code), not over classes as KL(teacher, student) (paper)."),
      deviation("reset_discriminator",
                "The discriminator's Adam starts anew in every step (published code)."),
      deviation("shifted_rate",
                "Each epoch has the learning rate of the next one, the last epoch none (published "
                "code)."),
      deviation("evaluation_dropout", "Dropout stays on in evaluation (published code)."),
      deviation("centre_crop",
                "Segment and score one crop in the middle of each volume (published code), not the "
                "volume in windows."),
      choice("statistics",
             "Batch norm in evaluation: statistics of each window (as trained with a batch of one) "
             "or running averages.",
             {"sample", "running"}),
      {.path = "dropout",
       .type = Type::kBool,
       .fallback = "true",
       .meaning = "Dropout in training: 0.2 before the decoder, 0.1 in the transformer."},
      choice("targets",
             "Channels: tissues NETC, SNFH, ET, BG (released script) or regions WT, TC, ET, BG "
             "(the paper's figure).",
             {"tissues", "regions"}),
      flag("resection", "A fifth channel for the resection cavity (2024 post-treatment labels)."),
      flag("shared_network", "One network in two passes in place of two networks."),
      flag("detach_teacher",
           "No term that compares the two networks sends gradients to the "
           "teacher; the published code detaches nothing."),
      choice("extremes",
             "Extreme attention values are taken over the four taps (published code) or over the "
             "heads of each (paper).",
             {"taps", "heads"}),
      choice("gram",
             "Gram matrices are compared as published, which is numerically inert, or by "
             "the mean over their entries.",
             {"published", "mean"}),
      choice("gram_features",
             "Features of the Gram matrices: last encoder convolution, style and content "
             "(published code), or the paper's pooled encoder, transformer and first decoder ones.",
             {"published", "paper"}),
      choice("normalisation", "Images: min-max of the volume, or z-score of the non-zero voxels.",
             {"minmax", "zscore"}),
      {.path = "beta2",
       .type = Type::kNumber,
       .fallback = "0.999",
       .meaning = "Second beta of the networks' Adam; 0.99 in the paper.",
       .minimum = 0,
       .maximum = 0.999999},
      {.path = "student_weight",
       .type = Type::kNumber,
       .fallback = "0.6",
       .meaning = "Weight of the student's Dice; the teacher's has the rest to 1.",
       .minimum = 0,
       .maximum = 1},
      weight("content_weight", "0.2", "Weight of matching content features."),
      weight("feature_weight", "0.2", "Weight of matching the four features of the UNETR decoder."),
      {.path = "attention_weight",
       .type = Type::kNumber,
       .fallback = "null",
       .meaning = "Weight of extreme value distillation of attention maps; null: 1e8 (n / 120)^4 "
                  "for n tokens, which is the published 1e8 at the published crop, with official "
                  "1e8.",
       .minimum = 0,
       .nullable = true},
      weight("logit_weight", "1", "Weight of the distillation of standardised logits."),
      {.path = "temperature",
       .type = Type::kNumber,
       .fallback = "7",
       .meaning = "Temperature of that distillation.",
       .minimum = 0.01},
      {.path = "gram_weight",
       .type = Type::kNumber,
       .fallback = "null",
       .meaning = "Weight of Gram matching; null: 1 as published, 0 with gram=mean (untuned).",
       .minimum = 0,
       .nullable = true},
      weight("style_weight", "0", "Weight of the Gram style loss (variant for region targets)."),
      weight("adversarial_weight", "2e-4",
             "Weight of the student's adversarial loss; 0: no discriminator phase."),
  };
  return options;
}

MstKdOptions parse_mst_kdnet_options(const Json& resolved) {
  const auto is = [&](const char* key, const char* value) {
    return resolved.at(key).get<std::string>() == value;
  };
  const auto yes = [&](const char* key) { return resolved.at(key).get<bool>(); };
  const auto number = [&](const char* key) { return resolved.at(key).get<double>(); };
  MstKdOptions o;
  o.official = yes("official");
  const auto deviates = [&](const char* key) {
    return resolved.at(key).is_null() ? o.official : yes(key);
  };
  o.teacher_background = deviates("teacher_background");
  if (deviates("spatial_logits")) o.logits = {.axis = -1, .towards_student = true};
  o.logits.temperature = number("temperature");
  o.reset_discriminator = deviates("reset_discriminator");
  o.shifted_rate = deviates("shifted_rate");
  o.evaluation_dropout = deviates("evaluation_dropout");
  o.centre_crop = deviates("centre_crop");
  o.running_statistics = is("statistics", "running");
  o.dropout = yes("dropout");
  o.region_targets = is("targets", "regions");
  o.resection = yes("resection");
  o.shared_network = yes("shared_network");
  o.detach_teacher = yes("detach_teacher");
  if (is("extremes", "heads")) o.extremes = losses::ExtremesOver::kHeads;
  o.mean_gram = is("gram", "mean");
  o.paper_gram_features = is("gram_features", "paper");
  o.zscore = is("normalisation", "zscore");
  o.beta2 = number("beta2");
  o.student_weight = number("student_weight");
  o.content_weight = number("content_weight");
  o.feature_weight = number("feature_weight");
  if (!resolved.at("attention_weight").is_null()) {
    o.attention_weight = number("attention_weight");
  }
  o.logit_weight = number("logit_weight");
  o.gram_weight =
      resolved.at("gram_weight").is_null() ? (o.mean_gram ? 0.0 : 1.0) : number("gram_weight");
  o.style_weight = number("style_weight");
  o.adversarial_weight = number("adversarial_weight");
  return o;
}

double attention_weight_for(std::int64_t tokens, const MstKdOptions& options) {
  constexpr double kPublished = 1e8, kPublishedTokens = 120;
  if (options.attention_weight) return *options.attention_weight;
  if (options.official) return kPublished;
  return kPublished * std::pow(static_cast<double>(tokens) / kPublishedTokens, 4);
}

}  // namespace lacuna::methods
