// The options of ACN: section method_options of a run. A value; parsing is pure.
#pragma once

#include "losses/adversarial.h"
#include "methods/shared/co_training.h"

namespace lacuna::methods::acn {

enum class InformationTarget { kFull, kFullAttached, kOwn };

struct Options : CoTrainingOptions {
  double information_weight = 0.5, entropy_weight = 1e-3, feature_weight = 2e-4, vae_weight = 0;
  InformationTarget information_target = InformationTarget::kFull;
  losses::EntropyOf entropy_of = losses::EntropyOf::kSoftmaxOfSigmoid;
  bool softmax_kl = false;
};

const OptionBinding<Options>& binding();

}  // namespace lacuna::methods::acn
