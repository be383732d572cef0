// From the axes of a group to single runs. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "experiments/sweep_definition.h"

namespace lacuna::experiments {

// A run before it is resolved.
struct RunDraft {
  std::string label;  // what tells it from its neighbours: "unet fold1 seed=3"
  Json set;           // flat: on top of the base of its group
  Json axes;          // the part of it that tells the runs of the group apart, without overrides
  Json run;           // the base with `set` in it
  Json resources;     // of the group, with those of overrides
};

// Which rules had an effect somewhere: a rule without one is a mistake.
class RuleUse {
 public:
  void declare(const std::string& where, const Json& rule);
  void used(const Json& rule);
  // Throws ConfigError naming the first rule that never matched.
  void require_all(const std::string& file) const;

 private:
  struct Rule {
    std::string where, text;
    bool used = false;
  };
  std::vector<Rule> rules_;
};

// In a fixed order: combinations of grid and zip, the first key slowest, then `runs`. Throws
// ConfigError when the combinations are more than a million.
std::vector<RunDraft> expand(const SweepGroup& group, const std::string& file, RuleUse& rules);

}  // namespace lacuna::experiments
