#include "data/augment/augment_low_resolution.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "data/augment/bspline.h"

namespace lacuna::data {
namespace {

// Output o of a line is sum_k weights[o * taps + k] * in[first[o] + k].
struct LineOperator {
  std::int64_t taps = 0;
  std::vector<std::int64_t> first;
  std::vector<float> weights;
};

// Cubic interpolation of `in` samples to `out` samples. Prefilter and interpolation are linear, so
// both together are one short row of weights per output: what is left of the prefilter's infinite
// response after 9 samples is below 1e-5.
LineOperator cubic_operator(std::int64_t in, std::int64_t out) {
  constexpr std::int64_t kReach = 9;
  constexpr std::int64_t kPad = 12;  // replicated samples beyond each end
  const std::int64_t padded = in + 2 * kPad;
  // Row i, column j: coefficient i of the padded line of a unit sample j.
  std::vector<double> coefficients(static_cast<std::size_t>(padded * in));
  for (std::int64_t i = 0; i < padded; ++i) {
    coefficients[static_cast<std::size_t>(i * in + std::clamp<std::int64_t>(i - kPad, 0, in - 1))] =
        1;
  }
  bspline_prefilter(coefficients.data(), 1, padded, in);

  LineOperator line;
  line.taps = std::min<std::int64_t>(2 * kReach + 2, in);
  for (std::int64_t o = 0; o < out; ++o) {
    const double x =
        (static_cast<double>(o) + 0.5) * static_cast<double>(in) / static_cast<double>(out) - 0.5 +
        static_cast<double>(kPad);
    const auto base = static_cast<std::int64_t>(std::floor(x));
    const auto spline = bspline_weights(x - std::floor(x));
    const std::int64_t first = std::clamp<std::int64_t>(base - kPad - kReach, 0, in - line.taps);
    line.first.push_back(first);
    double sum = 0;
    std::vector<double> row;
    for (std::int64_t j = first; j < first + line.taps; ++j) {
      double weight = 0;
      for (std::int64_t k = 0; k < 4; ++k) {
        weight += spline[static_cast<std::size_t>(k)] *
                  coefficients[static_cast<std::size_t>((base - 1 + k) * in + j)];
      }
      row.push_back(weight);
      sum += weight;
    }
    for (const double weight : row) line.weights.push_back(static_cast<float>(weight / sum));
  }
  return line;
}

// Along W: rows x in -> rows x out.
void apply_along_rows(const LineOperator& line, const float* in, std::int64_t rows,
                      std::int64_t in_size, float* __restrict out) {
  const auto out_size = static_cast<std::int64_t>(line.first.size());
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t o = 0; o < out_size; ++o) {
      const float* taps = in + r * in_size + line.first[static_cast<std::size_t>(o)];
      const float* weights = line.weights.data() + o * line.taps;
      float sum = 0;
      for (std::int64_t k = 0; k < line.taps; ++k) sum += weights[k] * taps[k];
      out[r * out_size + o] = sum;
    }
  }
}

// Along the middle axis: outer x in x inner -> outer x out x inner, results kept in [low, high].
void apply_along_axis(const LineOperator& line, const float* in, std::int64_t outer,
                      std::int64_t in_size, std::int64_t inner, float low, float high,
                      float* __restrict out) {
  constexpr std::int64_t kBlock = 256;
  const auto out_size = static_cast<std::int64_t>(line.first.size());
  for (std::int64_t a = 0; a < outer; ++a) {
    for (std::int64_t o = 0; o < out_size; ++o) {
      const float* rows = in + (a * in_size + line.first[static_cast<std::size_t>(o)]) * inner;
      const float* weights = line.weights.data() + o * line.taps;
      float* to = out + (a * out_size + o) * inner;
      for (std::int64_t begin = 0; begin < inner; begin += kBlock) {
        const std::int64_t size = std::min(kBlock, inner - begin);
        float sum[kBlock] = {};
        for (std::int64_t k = 0; k < line.taps; ++k) {
          const float* row = rows + k * inner + begin;
          const float weight = weights[k];
          for (std::int64_t i = 0; i < size; ++i) sum[i] += weight * row[i];
        }
        for (std::int64_t i = 0; i < size; ++i) {
          const float above = sum[i] < low ? low : sum[i];
          to[begin + i] = above > high ? high : above;
        }
      }
    }
  }
}

std::vector<std::int64_t> nearest_samples(std::int64_t from, std::int64_t to) {
  std::vector<std::int64_t> picks;
  for (std::int64_t i = 0; i < to; ++i) {
    const double x =
        (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
    picks.push_back(
        std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(x + 0.5)), 0, from - 1));
  }
  return picks;
}

}  // namespace

void reduce_resolution(float* volume, const Extent& extent, double zoom,
                       std::vector<float>& scratch) {
  Extent small{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const double size = std::nearbyint(static_cast<double>(extent[axis]) * zoom);
    small[axis] = std::max<std::int64_t>(1, static_cast<std::int64_t>(size));
  }
  const auto [depth, height, width] = extent;
  const std::int64_t reduced = small[0] * small[1] * small[2];
  const std::int64_t wide = small[0] * small[1] * width;
  const std::int64_t high_wide = small[0] * height * width;
  scratch.resize(static_cast<std::size_t>(reduced + wide + high_wide));
  float* const picked = scratch.data();

  const auto slices = nearest_samples(depth, small[0]);
  const auto rows = nearest_samples(height, small[1]);
  const auto columns = nearest_samples(width, small[2]);
  float* to = picked;
  for (const std::int64_t d : slices) {
    for (const std::int64_t h : rows) {
      const float* from = volume + (d * height + h) * width;
      for (const std::int64_t w : columns) *to++ = from[w];
    }
  }
  const auto [low, high] = std::minmax_element(picked, picked + reduced);

  // W first: it is the costly direction for vector code and has the fewest rows now.
  constexpr float kAny = 3e38f;
  float* const stretched = picked + reduced;
  float* const taller = stretched + wide;
  apply_along_rows(cubic_operator(small[2], width), picked, small[0] * small[1], small[2],
                   stretched);
  apply_along_axis(cubic_operator(small[1], height), stretched, small[0], small[1], width, -kAny,
                   kAny, taller);
  apply_along_axis(cubic_operator(small[0], depth), taller, 1, small[0], height * width, *low,
                   *high, volume);
}

}  // namespace lacuna::data
