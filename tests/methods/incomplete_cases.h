// What every method with a network that sees all modalities promises of cases that lack one.
#pragma once

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "methods/method.h"

namespace lacuna::methods {

// Sample n of a batch, as a batch.
inline Batch sample_of(const Batch& batch, std::int64_t n) {
  const auto at = static_cast<std::size_t>(n);
  Batch one;
  one.image = batch.image.narrow(0, n, 1);
  one.label = batch.label.narrow(0, n, 1);
  for (const auto& draw : batch.subsets) one.subsets.push_back({draw[at]});
  if (!batch.available.empty()) one.available = {batch.available[at]};
  one.sample_index = {batch.sample_index[at]};
  return one;
}

// Of two samples the second lacks its first modality: the parts named in `students` are means over
// both, the others are the complete sample's alone, at half their weight.
inline void expect_complete_cases_teach_alone(Method& method, Batch both,
                                              const std::vector<std::string>& phases,
                                              const std::set<std::string>& students) {
  const auto modalities = static_cast<int>(both.image.size(1));
  const SubsetMask all = (SubsetMask{1} << modalities) - 1;
  both.available = {all, all & ~SubsetMask{1}};
  both.image[1][0].fill_(7);  // whatever lies there
  const Batch first = sample_of(both, 0), second = sample_of(both, 1);
  for (const std::string& phase : phases) {
    const Loss whole = method.loss(phase, both, {});
    const Loss one = method.loss(phase, first, {}), two = method.loss(phase, second, {});
    ASSERT_EQ(one.parts.size(), two.parts.size());
    for (std::size_t i = 0; i < whole.parts.size(); ++i) {
      const auto& [name, term] = whole.parts[i];
      const double complete = one.parts[i].second.item<double>();
      const double incomplete = two.parts[i].second.item<double>();
      EXPECT_EQ(incomplete != 0, students.contains(name)) << phase << ": " << name;
      EXPECT_NEAR(term.item<double>(), (complete + incomplete) / 2,
                  1e-3 * std::abs(complete) + 1e-12)
          << phase << ": " << name;
    }
  }
  method.end_step({});
}

}  // namespace lacuna::methods
