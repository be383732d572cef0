#include "data/augment/augment_intensity.h"

#include <algorithm>
#include <cmath>

#include "data/augment/vector_math.h"

namespace lacuna::data {
namespace {

struct Moments {
  double mean = 0, deviation = 0;
  float minimum = 0, maximum = 0;
};

// Sums run in 16 float lanes over blocks and in double over blocks: vector code with an order that
// is fixed, and an error far below what a float can show.
Moments moments_of(const float* values, std::size_t count) {
  constexpr std::size_t kLanes = 16, kBlock = 4096;
  double sum = 0, squares = 0;
  float low = values[0], high = values[0];
  const float origin = values[0];  // keeps the squares small where the values are far from 0
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t end = std::min(begin + kBlock, count);
    float lane_sum[kLanes] = {}, lane_squares[kLanes] = {}, lane_low[kLanes], lane_high[kLanes];
    std::fill(lane_low, lane_low + kLanes, low);
    std::fill(lane_high, lane_high + kLanes, high);
    std::size_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      for (std::size_t j = 0; j < kLanes; ++j) {
        const float value = values[i + j], delta = value - origin;
        lane_sum[j] += delta;
        lane_squares[j] += delta * delta;
        lane_low[j] = value < lane_low[j] ? value : lane_low[j];
        lane_high[j] = value > lane_high[j] ? value : lane_high[j];
      }
    }
    for (; i < end; ++i) {
      const float delta = values[i] - origin;
      lane_sum[0] += delta;
      lane_squares[0] += delta * delta;
      lane_low[0] = std::min(lane_low[0], values[i]);
      lane_high[0] = std::max(lane_high[0], values[i]);
    }
    for (std::size_t j = 0; j < kLanes; ++j) {
      sum += lane_sum[j];
      squares += lane_squares[j];
      low = std::min(low, lane_low[j]);
      high = std::max(high, lane_high[j]);
    }
  }
  const double mean = sum / static_cast<double>(count);
  const double variance = std::max(0.0, squares / static_cast<double>(count) - mean * mean);
  return {mean + origin, std::sqrt(variance), low, high};
}

}  // namespace

void scale_and_shift(float* values, std::size_t count, float gain, float offset) {
  for (std::size_t i = 0; i < count; ++i) values[i] = values[i] * gain + offset;
}

void change_contrast(float* values, std::size_t count, float factor) {
  const Moments before = moments_of(values, count);
  const auto mean = static_cast<float>(before.mean);
  const float low = before.minimum, high = before.maximum;
  for (std::size_t i = 0; i < count; ++i) {
    const float value = (values[i] - mean) * factor + mean;
    const float above = value < low ? low : value;
    values[i] = above > high ? high : above;
  }
}

void change_gamma(float* values, std::size_t count, float gamma) {
  const Moments before = moments_of(values, count);
  const float low = before.minimum;
  const float range = before.maximum - low + 1e-7f;  // the published epsilon: range is never 0
  const float inverse = 1 / range;
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = fast_power((values[i] - low) * inverse, gamma) * range + low;
  }
  const Moments after = moments_of(values, count);
  const double scale = before.deviation / (after.deviation + 1e-8);
  scale_and_shift(values, count, static_cast<float>(scale),
                  static_cast<float>(before.mean - after.mean * scale));
}

}  // namespace lacuna::data
