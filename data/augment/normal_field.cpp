#include "data/augment/normal_field.h"

#include <algorithm>
#include <cmath>

#include "data/augment/vector_math.h"

namespace lacuna::data {
namespace {

constexpr std::size_t kLanes = 64;
using Words = std::uint32_t[kLanes];

// Philox4x32-10 (base/random.h) of `kLanes` successive counters, a word per array: plain loops over
// lanes, which the compiler turns into vector code.
void philox_lanes(const FieldKey& key, std::uint32_t first, Words& c0, Words& c1, Words& c2,
                  Words& c3) {
  for (std::uint32_t j = 0; j < kLanes; ++j) {
    c0[j] = first + j;
    c1[j] = static_cast<std::uint32_t>(key.purpose) | (key.sub << 8);
    c2[j] = static_cast<std::uint32_t>(key.index);
    c3[j] = static_cast<std::uint32_t>(key.index >> 32);
  }
  auto k0 = static_cast<std::uint32_t>(key.seed);
  auto k1 = static_cast<std::uint32_t>(key.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (std::size_t j = 0; j < kLanes; ++j) {
      const std::uint64_t a = std::uint64_t{0xD2511F53} * c0[j];
      const std::uint64_t b = std::uint64_t{0xCD9E8D57} * c2[j];
      c0[j] = static_cast<std::uint32_t>(b >> 32) ^ c1[j] ^ k0;
      c2[j] = static_cast<std::uint32_t>(a >> 32) ^ c3[j] ^ k1;
      c1[j] = static_cast<std::uint32_t>(b);
      c3[j] = static_cast<std::uint32_t>(a);
    }
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
}

void box_muller(const Words& a, const Words& b, float deviation, float* first, float* second) {
  for (std::size_t j = 0; j < kLanes; ++j) {
    // (0, 1]: the logarithm is finite.
    const float u = (static_cast<float>(static_cast<std::int32_t>(a[j] >> 8)) + 1) * 0x1p-24f;
    const float turns = static_cast<float>(static_cast<std::int32_t>(b[j] >> 8)) * 0x1p-24f;
    const float squared = -1.386294361f * fast_log2(u);  // -2 ln u
    const float radius = deviation * std::sqrt(squared < 0 ? 0 : squared);
    float sine = 0, cosine = 0;
    sine_cosine(turns, sine, cosine);
    first[j] = radius * cosine;
    second[j] = radius * sine;
  }
}

}  // namespace

void add_normal_field(const FieldKey& key, float deviation, float* values, std::size_t count) {
  Words c0, c1, c2, c3;
  float group[4 * kLanes];
  std::uint32_t counter = 0;
  for (std::size_t begin = 0; begin < count; begin += 4 * kLanes, counter += kLanes) {
    philox_lanes(key, counter, c0, c1, c2, c3);
    box_muller(c0, c1, deviation, group, group + kLanes);
    box_muller(c2, c3, deviation, group + 2 * kLanes, group + 3 * kLanes);
    const std::size_t size = std::min(count - begin, 4 * kLanes);
    float* out = values + begin;
    for (std::size_t i = 0; i < size; ++i) out[i] += group[i];
  }
}

}  // namespace lacuna::data
