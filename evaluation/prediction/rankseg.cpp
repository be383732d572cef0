#include "evaluation/prediction/rankseg.h"

#include <algorithm>
#include <array>

namespace lacuna::evaluation {
namespace {

constexpr std::size_t kBuckets = 4096;

std::size_t bucket_of(float p) {
  const auto place = static_cast<std::size_t>(std::max(0.0f, p) * kBuckets);
  return std::min(place, kBuckets - 1);
}

}  // namespace

// The score rises from k to k + 1 exactly while p(k+1) > score(k) / 2, and both sides are monotone
// until then: the cut lies in the first bucket, from above, whose end no longer rises. Only that
// bucket is sorted.
std::vector<std::uint8_t> decode_rankseg(std::span<const float> p) {
  std::vector<std::uint8_t> mask(p.size());
  if (p.empty() || *std::max_element(p.begin(), p.end()) <= 0.5f) return mask;
  struct Bucket {
    double sum = 0;
    std::int64_t count = 0;
    float least = 1;
  };
  std::vector<Bucket> buckets(kBuckets);
  double total = 0;
  for (const float value : p) {
    Bucket& bucket = buckets[bucket_of(value)];
    bucket.sum += value;
    ++bucket.count;
    bucket.least = std::min(bucket.least, value);
    total += value;
  }
  double sum = 0;
  std::int64_t taken = 0;
  const auto rises = [&](double value, double sum_before, std::int64_t before) {
    return value > sum_before / (total + static_cast<double>(before) + 1);
  };
  std::size_t at = kBuckets;
  while (at > 0) {
    const Bucket& bucket = buckets[at - 1];
    // All of the bucket is taken when its last voxel still makes the score rise.
    if (bucket.count > 0 &&
        !rises(bucket.least, sum + bucket.sum - bucket.least, taken + bucket.count - 1)) {
      break;
    }
    sum += bucket.sum;
    taken += bucket.count;
    --at;
  }
  std::vector<std::uint32_t> edge;  // voxels of the bucket of the cut, in order
  for (std::size_t i = 0; i < p.size(); ++i) {
    const std::size_t bucket = bucket_of(p[i]);
    if (bucket >= at) mask[i] = 1;
    if (at > 0 && bucket == at - 1) edge.push_back(static_cast<std::uint32_t>(i));
  }
  std::stable_sort(edge.begin(), edge.end(), [&](auto a, auto b) { return p[a] > p[b]; });
  for (const std::uint32_t i : edge) {
    if (!rises(p[i], sum, taken)) break;
    mask[i] = 1;
    sum += p[i];
    ++taken;
  }
  return mask;
}

}  // namespace lacuna::evaluation
