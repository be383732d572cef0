// Decides which modalities a training sample keeps.
//
// Contract: draw() is a pure function of its arguments (counter-based stream kSubsetDraw). It
// depends on no rank, thread or history, so a resumed run has nothing to restore.
// Thread-safety: stateless; one object serves all loader threads.
//
// A case that lacks modalities is never given them:
//   granularity sample  the policy draws among the modalities that the case has.
//   granularity batch   the policy draws from all modalities, so complete cases of a batch share
//                       one subset; an incomplete case keeps what it has of that subset, and takes
//                       the next draw of the same stream when it has nothing of it.
//   full, natural, fixed: what the case has of the subset; everything it has if that is nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/text/json.h"
#include "base/text/options.h"
#include "data/types/modality.h"

namespace lacuna::data {

// Where a draw stands in training, for policies that change over time.
struct DrawPosition {
  std::uint64_t seed = 0;
  std::uint64_t index = 0;  // global sample index (granularity sample) or batch number (batch)
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

// The keys of section `subsets`, for the schema of a run (paths without the section). A policy that
// is null is the method's own.
std::vector<Option> subset_options();

// {"policy": "cardinality", "granularity": "batch"}: section `subsets` of the configuration.
//   full         every modality
//   uniform      each non-empty subset alike
//   bernoulli    each modality with probability p, given that one is kept
//   coins        a fair coin for each modality; where none is kept, one of them, each alike: a
//   single
//                modality has 5/64 of M = 4, every other subset 4/64 (Robust-MSeg)
//   cardinality  size 1..M first, then a subset of that size (U-HeMIS, ShaSpec, MCKD); with
//                `max_size` sizes 1..max_size (RA-HVED)
//   curriculum   full to hard: at step s of S up to min(M - 1, floor(M s / S)) modalities are
//                dropped, each number alike; the last M-th of the run equals `cardinality`
//   fixed        `subset`, as in "FLAIR+T1c"
//   natural      what the case has
//   schedule     a list by step: [{"until_step": 1000, "policy": "full"}, {"policy": "uniform"}]
//   distinct     uniform, and the draws of one sample differ while there are subsets left (SMML)
// Throws ConfigError.
std::unique_ptr<SubsetPolicy> make_subset_policy(const Json& section,
                                                 const ModalitySet& modalities);

// True when every sample of a batch shares one draw.
bool is_batch_level(const Json& section);

}  // namespace lacuna::data
