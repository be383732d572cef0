// Decides which modalities a training sample keeps.
//
// Contract: draw() is a pure function of its arguments (counter-based stream kSubsetDraw). It
// depends on no rank, thread or history, so a resumed run has nothing to restore.
// Thread-safety: stateless; one object serves all loader threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "data/modality.h"

namespace lacuna::data {

// Where a draw stands in training, for policies that change over time.
struct DrawPosition {
  std::uint64_t seed = 0;
  std::uint64_t index = 0;  // global sample index (granularity sample) or step (granularity batch)
  std::int64_t step = 0;
  std::int64_t steps = 1;  // of the whole run
};

class SubsetPolicy {
 public:
  virtual ~SubsetPolicy() = default;
  // `draws` subsets of one sample, none of them 0: a sample without an image has no gradient.
  // `available`: what the case really has; the result never exceeds it.
  virtual std::vector<SubsetMask> draw(const DrawPosition& at, SubsetMask available,
                                       int draws) const = 0;
};

// {"policy": "cardinality", "granularity": "batch", ...}: section `subsets` of the configuration.
// Policies: full, uniform, bernoulli (p), cardinality, curriculum, fixed (subset), natural,
// schedule (list of {until_step, policy...}), distinct (draws differ; SMML). Throws ConfigError.
std::unique_ptr<SubsetPolicy> make_subset_policy(const Json& section,
                                                 const ModalitySet& modalities);

// True when every sample of a batch shares one draw.
bool is_batch_level(const Json& section);

}  // namespace lacuna::data
