// The choices that ShaSpec's card leaves open (section method_options of a run). Value type.
#pragma once

#include <optional>
#include <vector>

#include "base/text/json.h"
#include "base/text/options.h"
#include "losses/feature_alignment.h"

namespace lacuna::methods {

struct ShaSpecOptions {
  double alignment_weight = 0.1, domain_weight = 0.02;
  losses::AlignedPairs pairs = losses::AlignedPairs::kRing;
  bool fill_first = false;  // else the mean
  bool aux_on_missing = true;
  std::optional<std::int64_t> warm_up_steps;
  bool cosine = false;
  int centre_choices = 3;
  bool cubic = false;
  bool gaussian = false;
  std::int64_t et_min = 0;  // voxels
};

const std::vector<Option>& shaspec_options();

// `resolved`: against shaspec_options(). Throws ConfigError when `official` meets another choice
// than the published code's.
ShaSpecOptions parse_shaspec_options(const Json& resolved);

}  // namespace lacuna::methods
