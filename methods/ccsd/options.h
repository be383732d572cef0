// The choices that CCSD's paper leaves open (section method_options of a run); there is no
// published code. Value type.
#pragma once

#include "losses/channel_kl.h"
#include "methods/ccsd/removal_path.h"
#include "methods/shared/option_binding.h"
#include "methods/shared/shared_recipe.h"

namespace lacuna::methods::ccsd {

enum class Fill { kZeroShared, kFirst, kMean };
enum class Distilled { kStage3, kConcat, kLogits, kShared, kPrivate };
enum class Segmented { kFullAndDrawn, kDrawn, kLevel, kAll };
enum class Compared { kFused, kShared, kPooled };

struct Options {
  double hierarchical_weight, decremental_weight;
  Distilled distilled;
  bool hierarchical_logits;  // else on the distilled feature, as the decremental term
  bool hierarchical_sum;     // over the sets of one size; else their mean
  losses::ChannelKl kl;
  bool detach_teacher;
  bool ramped;
  RemovalOrder order;
  bool dynamic_path, batch_path, path_from_drawn;
  Compared compared;
  Segmented segmented;
  Fill fill;
  double alignment_weight, domain_weight;
  std::int64_t compose_kernel;
  double clip_norm;
  bool light_augmentation;
  SharedRecipe recipe;
};

const OptionBinding<Options>& binding();

}  // namespace lacuna::methods::ccsd
