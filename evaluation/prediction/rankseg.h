// A mask from probabilities that maximises the expected Dice (approximately), in place of a
// threshold: RankSEG with the RMA approximation (docs/evaluation.md). Pure, thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lacuna::evaluation {

// 1 in the k most probable voxels, k the first maximum of 2 S(k) / (mu + k + 1), S(k) the sum of
// the k largest probabilities and mu that of all; nothing where no probability is above 1/2. Voxels
// of equal probability at the cut: the first in order. Probabilities lie in [0, 1].
std::vector<std::uint8_t> decode_rankseg(std::span<const float> p);

}  // namespace lacuna::evaluation
