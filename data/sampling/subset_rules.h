// The drawing rules behind the subset policies: from which set, at which point of training.
//
// A rule knows nothing of granularity or of what a case lacks; subset_policy.cpp adds that.
// Immutable, thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "data/sampling/subset_policy.h"

namespace lacuna::data {

class SubsetRule {
 public:
  virtual ~SubsetRule() = default;
  // `draws` non-empty subsets of `from` (not empty itself). A deterministic rule may exceed `from`
  // or miss it; the caller cuts.
  virtual std::vector<SubsetMask> draw(Stream& stream, const DrawPosition& at, SubsetMask from,
                                       int draws) const = 0;
  // True when another draw of the stream may differ.
  virtual bool is_random(const DrawPosition& at) const = 0;
  // True when the draws of one sample must differ.
  virtual bool wants_distinct(const DrawPosition& /*at*/) const { return false; }
};

// `entry`: the resolved keys policy, p, max_size, subset, schedule. Throws ConfigError; `where`
// opens texts.
std::unique_ptr<SubsetRule> make_subset_rule(const Json& entry, const ModalitySet& modalities,
                                             const std::string& where);

// The keys of one entry of a schedule.
std::vector<Option> schedule_entry_options();

}  // namespace lacuna::data
