// Keys of random numbers that belong to samples: they depend on the run's seed and the sample, and
// on no rank, batch or place in it. Pure function.
#pragma once

#include <cstdint>
#include <vector>

#include "methods/method.h"

namespace lacuna::methods {

// One key per sample of the batch, for models::SampleDropout. `use` keeps the networks or layers of
// a method apart. Where the batch gives no sample_index, the place in the batch stands for it.
std::vector<std::uint64_t> sample_keys(const Batch& batch, const Progress& progress,
                                       std::uint32_t use);

}  // namespace lacuna::methods
