// In which order the cases of a split are visited: each epoch is a fresh permutation, and any
// position can be asked for directly.
//
// at(index) is a pure function of (seed, purpose, index); the object only remembers the epoch it
// looked at last. Thread-safety: one object per thread.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"

namespace lacuna::data {

class CaseOrder {
 public:
  // Throws ConfigError when there are no cases.
  CaseOrder(int cases, std::uint64_t seed, Purpose purpose);

  // Position in the list of cases (0..cases-1) of a global sample index.
  int at(std::uint64_t index) { return alternative(index, 0); }

  // The case that stands in for at(index) when `skipped` cases before it could not be read: the
  // following ones of the same epoch, round its end. skipped < cases.
  int alternative(std::uint64_t index, int skipped);

 private:
  std::uint64_t seed_;
  Purpose purpose_;
  std::uint64_t epoch_ = UINT64_MAX;
  std::vector<int> permutation_;
};

}  // namespace lacuna::data
