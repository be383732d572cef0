#include "methods/mckd/options.h"

#include <string>

#include "base/error.h"
#include "methods/shared/official_options.h"

namespace lacuna::methods {

const std::vector<Option>& mckd_options() {
  using Type = Option::Type;
  static const std::vector<Option> options = {
      {.path = "alpha",
       .type = Type::kNumber,
       .fallback = "0.1",
       .meaning = "Weight of the distillation between modalities in the training loss.",
       .minimum = 0},
      {.path = "ckd_detach",
       .type = Type::kBool,
       .fallback = "true",
       .meaning = "The teaching feature of a pair receives no gradient (published code)."},
      {.path = "distance",
       .type = Type::kString,
       .fallback = "\"l1\"",
       .meaning = "Distance between two features: mean absolute or mean squared difference.",
       .allowed = {"l1", "mse"}},
      {.path = "meta_fill",
       .type = Type::kString,
       .fallback = "\"zero\"",
       .meaning = "Feature of a missing modality in the meta phase, before its weight: that of the "
                  "zero image (published code) or the mean of the available ones (paper, Eq. 4).",
       .allowed = {"zero", "mean"}},
      {.path = "skip_fill",
       .type = Type::kString,
       .fallback = "\"zero\"",
       .meaning =
           "Skip features of a missing modality: those of the zero image (published code) or "
           "the mean of the available ones.",
       .allowed = {"zero", "mean"}},
      {.path = "normalisation",
       .type = Type::kString,
       .fallback = "\"softmax\"",
       .meaning = "How the raw importance vector becomes weights; relu and sigmoid are the paper's "
                  "ablation.",
       .allowed = {"softmax", "relu", "sigmoid"}},
      {.path = "store_normalised",
       .type = Type::kBool,
       .fallback = "false",
       .meaning =
           "Replace the importance vector by its softmax after each meta phase and use it as "
           "it stands (Algorithm 1 of the paper, literally)."},
      {.path = "schedule",
       .type = Type::kString,
       .fallback = "\"poly\"",
       .meaning =
           "Learning rate of the network: poly with a restart at the second stage (published "
           "code) or one cosine over the whole run (paper).",
       .allowed = {"poly", "cosine"}},
      {.path = "importance_weight_decay",
       .type = Type::kNumber,
       .fallback = "5e-4",
       .meaning = "Weight decay of the importance vector; 5e-5 in the paper.",
       .minimum = 0},
      {.path = "warm_up",
       .type = Type::kBool,
       .fallback = "true",
       .meaning =
           "First stage with all modalities for 80/115 of the steps (published code); without "
           "it modalities are dropped from the start (paper)."},
      {.path = "official",
       .type = Type::kBool,
       .fallback = "false",
       .meaning = "Exactly the published code: cubic interpolation in augmentation, and any other "
                  "choice than its own is refused."},
  };
  return options;
}

MckdOptions parse_mckd_options(const Json& resolved) {
  using Distance = losses::DistillationOptions::Distance;
  const auto text = [&](const char* key) { return resolved.at(key).get<std::string>(); };
  MckdOptions options;
  options.alpha = resolved.at("alpha").get<double>();
  options.distillation.detach_teacher = resolved.at("ckd_detach").get<bool>();
  options.distillation.distance =
      text("distance") == "mse" ? Distance::kSquared : Distance::kAbsolute;
  options.meta_fill_mean = text("meta_fill") == "mean";
  options.skip_fill_mean = text("skip_fill") == "mean";
  options.store_normalised = resolved.at("store_normalised").get<bool>();
  if (text("normalisation") == "relu") options.normalisation = ImportanceNormalisation::kRelu;
  if (text("normalisation") == "sigmoid") options.normalisation = ImportanceNormalisation::kSigmoid;
  if (options.store_normalised) {
    if (options.normalisation != ImportanceNormalisation::kSoftmax) {
      throw_error<ConfigError>(
          "method_options.store_normalised stores the softmax, but method_options.normalisation is "
          "\"{}\". Set one of them only.",
          text("normalisation"));
    }
    options.normalisation = ImportanceNormalisation::kStored;
  }
  options.cosine = text("schedule") == "cosine";
  options.importance_decay = resolved.at("importance_weight_decay").get<double>();
  options.warm_up = resolved.at("warm_up").get<bool>();
  options.official = resolved.at("official").get<bool>();
  require_published(resolved, mckd_options());
  return options;
}

}  // namespace lacuna::methods
