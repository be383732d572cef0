#include "data/sampling/case_order.h"

#include <numeric>
#include <span>

#include "base/error.h"

namespace lacuna::data {

CaseOrder::CaseOrder(int cases, std::uint64_t seed, Purpose purpose)
    : seed_(seed), purpose_(purpose) {
  if (cases < 1) {
    throw_error<ConfigError>("there are no cases to draw from. Choose a split that has some.");
  }
  permutation_.resize(static_cast<std::size_t>(cases));
}

int CaseOrder::alternative(std::uint64_t index, int skipped) {
  const std::uint64_t cases = permutation_.size();
  if (index / cases != epoch_) {
    epoch_ = index / cases;
    std::iota(permutation_.begin(), permutation_.end(), 0);
    Stream(seed_, purpose_, epoch_).shuffle(std::span<int>(permutation_));
  }
  return permutation_[(index % cases + static_cast<std::uint64_t>(skipped)) % cases];
}

}  // namespace lacuna::data
