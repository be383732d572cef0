// A field of independent N(0, 1) numbers, made in blocks by counters: value i is a pure function of
// (key, i), so a field can be made in any order and by any thread.
//
// Definition: groups of 256 values; group g holds, for lane j of 64, the Philox block of counter
// 64 g + j; its words (w0, w1) and (w2, w3) give two Box-Muller pairs, the four numbers of lane j
// standing at j, j + 64, j + 128, j + 192 of the group. 24 bits of each word are used.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/random.h"

namespace lacuna::data {

// The same key space as Stream: a field must not share its (purpose, sub) with a stream.
struct FieldKey {
  std::uint64_t seed = 0;
  Purpose purpose = Purpose::kAugment;
  std::uint64_t index = 0;
  std::uint32_t sub = 0;
};

// values[i] += deviation * field[i]
void add_normal_field(const FieldKey& key, float deviation, float* values, std::size_t count);

}  // namespace lacuna::data
