// The choices that MCKD's paper and published code leave open or make differently (section
// method_options of a run). Defaults are the published code's. Value type.
#pragma once

#include "losses/pairwise_distillation.h"
#include "methods/mckd/importance_weights.h"
#include "methods/shared/option_binding.h"
#include "methods/shared/shared_recipe.h"

namespace lacuna::methods::mckd {

struct Options {
  double alpha;
  losses::DistillationOptions distillation;
  bool meta_fill_mean, skip_fill_mean;
  ImportanceNormalisation normalisation;
  bool store_normalised;
  bool cosine;
  double importance_decay;
  bool warm_up;
  SharedRecipe recipe;
  bool official;
};

const OptionBinding<Options>& binding();

// `resolved`: against binding().declared(). Throws ConfigError when two choices exclude each other.
Options parse(const Json& resolved);

}  // namespace lacuna::methods::mckd
