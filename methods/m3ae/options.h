// The options of M3AE: section method_options of a run. A value; parsing is pure.
#pragma once

#include <cstdint>
#include <vector>

#include "data/types/extent.h"
#include "methods/shared/option_binding.h"

namespace lacuna::methods::m3ae {

enum class ConsistencyOf { kBottleneck, kLogits };

struct Options {
  bool official = false, pretraining = true, corner_in_box = false;
  double mask_ratio = 0.875, image_weight = 0.005, consistency_weight = 0.1;
  ConsistencyOf consistency = ConsistencyOf::kBottleneck;
  data::Extent substitute{155, 240, 240};  // the network's axes
  std::string kept_tokens;

  // kept_tokens as numbers. Throws ConfigError for what is none.
  std::vector<std::int64_t> tokens() const;
};

const OptionBinding<Options>& binding();

}  // namespace lacuna::methods::m3ae
