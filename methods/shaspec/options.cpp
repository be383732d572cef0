#include "methods/shaspec/options.h"

#include <string>

#include "methods/shared/official_options.h"

namespace lacuna::methods {
namespace {

// Where the published code differs from the defaults. The budget is the user's.
const Json& published() {
  static const Json values = {{"fill", "first"}, {"interpolation", "cubic"}, {"et_min", 500}};
  return values;
}

}  // namespace

const std::vector<Option>& shaspec_options() {
  using Type = Option::Type;
  static const std::vector<Option> options = {
      {.path = "alignment_weight",
       .type = Type::kNumber,
       .fallback = "0.1",
       .meaning = "Weight of the alignment of the modalities' shared features.",
       .minimum = 0},
      {.path = "domain_weight",
       .type = Type::kNumber,
       .fallback = "0.02",
       .meaning = "Weight of telling modalities apart from their private features.",
       .minimum = 0},
      {.path = "fill",
       .type = Type::kString,
       .fallback = "null",
       .meaning = "Shared feature that a missing modality borrows: the mean of the available ones "
                  "(paper) or the first one (published code: a random available modality in "
                  "training, the one of lowest index in evaluation); null: mean, with official "
                  "first.",
       .allowed = {"mean", "first"},
       .nullable = true},
      {.path = "aux_on_missing",
       .type = Type::kBool,
       .fallback = "true",
       .meaning = "Alignment and modality classification also see the zero images of missing "
                  "modalities (published code); without it they keep to what is there (paper)."},
      {.path = "alignment_pairs",
       .type = Type::kString,
       .fallback = "\"ring\"",
       .meaning = "Pairs of modalities that are aligned: neighbours in a ring (published code) or "
                  "all.",
       .allowed = {"ring", "all"}},
      {.path = "schedule",
       .type = Type::kString,
       .fallback = "\"poly\"",
       .meaning = "Learning rate: poly with a restart at the second stage (published code) or one "
                  "cosine over the whole run.",
       .allowed = {"poly", "cosine"}},
      {.path = "warm_up_steps",
       .type = Type::kInteger,
       .fallback = "null",
       .meaning = "Length of the first stage, with all modalities; 0: none; null: 80/180 of the "
                  "run.",
       .unit = "steps",
       .minimum = 0,
       .maximum = 1e12,
       .nullable = true},
      {.path = "centre_choices",
       .type = Type::kInteger,
       .fallback = "3",
       .meaning = "What half of the crops choose their centre from: 3 for ET, WT, TC; 4 adds none "
                  "of them (published code before September 2024, and MCKD).",
       .minimum = 3,
       .maximum = 4},
      {.path = "interpolation",
       .type = Type::kString,
       .fallback = "null",
       .meaning = "Interpolation of images in spatial augmentation; null: linear, with official "
                  "cubic.",
       .allowed = {"linear", "cubic"},
       .nullable = true},
      {.path = "blending",
       .type = Type::kString,
       .fallback = "\"uniform\"",
       .meaning = "Weight of a voxel in its window: all alike (published code) or a Gaussian with "
                  "sigma of 1/8 window.",
       .allowed = {"uniform", "gaussian"}},
      {.path = "et_min",
       .type = Type::kInteger,
       .fallback = "null",
       .meaning = "A segmentation with fewer voxels of enhancing tumour has them relabelled as "
                  "necrosis; null: 0 (never), with official 500.",
       .unit = "voxels",
       .minimum = 0,
       .maximum = 1e9,
       .nullable = true},
      {.path = "official",
       .type = Type::kBool,
       .fallback = "false",
       .meaning = "Exactly the published code: fill first, cubic interpolation in augmentation, "
                  "et_min 500, and any other choice than its own is refused."},
  };
  return options;
}

ShaSpecOptions parse_shaspec_options(const Json& resolved) {
  require_published(resolved, shaspec_options(), published(), /*free=*/{"warm_up_steps"});
  const bool official = resolved.at("official").get<bool>();
  const auto decided = [&](const char* key, const Json& otherwise) {
    const Json& given = resolved.at(key);
    if (!given.is_null()) return given;
    return official ? published().at(key) : otherwise;
  };
  ShaSpecOptions options;
  options.alignment_weight = resolved.at("alignment_weight").get<double>();
  options.domain_weight = resolved.at("domain_weight").get<double>();
  if (resolved.at("alignment_pairs") == "all") options.pairs = losses::AlignedPairs::kAll;
  options.fill_first = decided("fill", "mean") == "first";
  options.aux_on_missing = resolved.at("aux_on_missing").get<bool>();
  if (const Json& steps = resolved.at("warm_up_steps"); !steps.is_null()) {
    options.warm_up_steps = steps.get<std::int64_t>();
  }
  options.cosine = resolved.at("schedule") == "cosine";
  options.centre_choices = resolved.at("centre_choices").get<int>();
  options.cubic = decided("interpolation", "linear") == "cubic";
  options.gaussian = resolved.at("blending") == "gaussian";
  options.et_min = decided("et_min", 0).get<std::int64_t>();
  return options;
}

}  // namespace lacuna::methods
