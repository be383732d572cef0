// Which predicted lesion belongs to which true one, when each has at most one partner.
// Pure function, thread-safe.
#pragma once

#include <vector>

namespace lacuna::evaluation {

struct Candidate {
  int truth = 0, prediction = 0;
  double weight = 0;  // > 0
};

struct Assignment {
  std::vector<int> partner;  // of each truth; -1: none
  bool unique = true;        // no other assignment has the same total (to 1e-12)
};

// The one-to-one assignment of the largest total weight. Among equals the first truth gets the
// first partner that it can have, and so on.
Assignment assign(int truths, const std::vector<Candidate>& candidates);

}  // namespace lacuna::evaluation
