// The options of PMKL: section method_options of a run. A value; parsing is pure.
#pragma once

#include <optional>
#include <string>

#include "methods/shared/gated_recipe.h"

namespace lacuna::methods::pmkl {

enum class Teacher {
  kTrained,  // in this run, in a stage before the student's
  kGiven,    // by init.weights
  kAlone,    // it is all that this run trains
};

enum class StudentInput { kReplicate, kZeros, kChannels };

struct Options : GatedOptions {
  Teacher teacher = Teacher::kTrained;
  std::optional<std::string> subset;  // null: one student for all
  std::optional<StudentInput> input;  // null: as the subset is
  bool global_pool = false, mirror = false, zero_background = false;
  double temperature = 10, pixel_weight = 0.5, contrastive_weight = 0.5;
  double trust_epsilon = 1e-8, distance_epsilon = 1e-12;
};

const OptionBinding<Options>& binding();

}  // namespace lacuna::methods::pmkl
