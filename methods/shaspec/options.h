// The choices that ShaSpec's paper and published code leave open or make differently (section
// method_options of a run). Value type.
#pragma once

#include <optional>

#include "losses/feature_alignment.h"
#include "methods/shared/option_binding.h"
#include "methods/shared/shared_recipe.h"

namespace lacuna::methods::shaspec {

struct Options {
  double alignment_weight, domain_weight;
  losses::AlignedPairs pairs;
  bool fill_first;  // else the mean
  bool aux_on_missing;
  std::optional<std::int64_t> warm_up_steps;
  bool cosine;
  SharedRecipe recipe;
  bool official;
};

const OptionBinding<Options>& binding();

}  // namespace lacuna::methods::shaspec
