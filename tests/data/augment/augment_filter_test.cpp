// Blur and low resolution against scipy.ndimage 1.16.3, on v[i] = (7 i^2 + 3 i) mod 23 and
// w[i] = (5 i^2 + 11 i) mod 37.
#include <cmath>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "data/augment/augment_blur.h"
#include "data/augment/augment_low_resolution.h"

namespace lacuna::data {
namespace {

std::vector<float> quadratic(int count, int a, int b, int modulus) {
  std::vector<float> values;
  for (int i = 0; i < count; ++i)
    values.push_back(static_cast<float>((a * i * i + b * i) % modulus));
  return values;
}

// scipy.ndimage.gaussian_filter(v.reshape(3, 4, 5), 0.8)
TEST(GaussianBlur, EqualsScipy) {
  std::vector<float> values = quadratic(60, 7, 3, 23), scratch;
  gaussian_blur(values.data(), {3, 4, 5}, 0.8, scratch);
  const std::vector<float> expected = {
      6.227531f, 10.08671f, 9.85563f,  7.977243f, 9.883197f, 9.23388f,  11.06413f, 11.5209f,
      10.62742f, 12.28833f, 11.41117f, 9.657011f, 10.19483f, 10.66958f, 10.6752f,  9.455421f,
      6.492284f, 8.40059f,  11.33025f, 9.244977f, 8.412015f, 11.19293f, 9.076269f, 7.712004f,
      10.74782f, 9.369386f, 9.978496f, 10.34484f, 10.14201f, 11.29138f, 11.56175f, 10.24459f,
      11.4158f,  11.34467f, 9.558881f, 11.12795f, 9.052153f, 9.874442f, 10.05349f, 6.751997f,
      8.093709f, 11.42941f, 9.803865f, 9.639916f, 13.27506f, 7.452315f, 8.504836f, 10.07989f,
      10.63881f, 10.59531f, 10.48356f, 9.961964f, 11.77491f, 11.95769f, 9.41984f,  13.91938f,
      11.93453f, 10.60273f, 9.459509f, 6.423594f};
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], 2e-5) << i;
}

TEST(GaussianBlur, KeepsTheSumOfAPointInsideTheVolume) {
  std::vector<float> values(40 * 30 * 300, 0.0f), scratch;
  values[(20 * 30 + 15) * 300 + 150] = 1;
  gaussian_blur(values.data(), {40, 30, 300}, 1.0, scratch);
  EXPECT_NEAR(std::accumulate(values.begin(), values.end(), 0.0), 1, 1e-5);
  EXPECT_NEAR(values[(20 * 30 + 15) * 300 + 150], std::pow(2 * 3.14159265, -1.5), 1e-4);
  EXPECT_EQ(values[(21 * 30 + 14) * 300 + 152], values[(19 * 30 + 16) * 300 + 148]);
}

// resize(resize(w.reshape(8, 6, 10), (5, 4, 6), order 0), (8, 6, 10), order 3), half-pixel centres,
// through map_coordinates(mode="nearest"), clipped to the range of the reduced volume.
TEST(ReduceResolution, EqualsScipy) {
  std::vector<float> values = quadratic(480, 5, 11, 37), scratch;
  reduce_resolution(values.data(), {8, 6, 10}, 0.65, scratch);
  const auto expect_row = [&](int d, int h, const std::vector<float>& expected) {
    for (int w = 0; w < 10; ++w) {
      EXPECT_NEAR(values[static_cast<std::size_t>((d * 6 + h) * 10 + w)],
                  expected[static_cast<std::size_t>(w)], 1e-4)
          << d << " " << h << " " << w;
    }
  };
  expect_row(0, 0,
             {0.0f, 0.0f, 0.1163733f, 3.905977f, 14.65651f, 29.32997f, 32.8786f, 27.82178f,
              25.66327f, 25.71261f});
  expect_row(3, 2,
             {15.58861f, 7.243802f, 3.95936f, 23.33585f, 35.9735f, 25.5249f, 13.11234f, 8.843664f,
              11.97719f, 15.31734f});
  expect_row(7, 5,
             {0.6477742f, 3.875915f, 11.66982f, 20.38307f, 14.43958f, 0.0f, 10.10217f, 35.80986f,
              36.0f, 36.0f});
  EXPECT_NEAR(std::accumulate(values.begin(), values.end(), 0.0), 8754.655, 0.05);
}

TEST(ReduceResolution, KeepsConstants) {
  std::vector<float> values(30 * 31 * 32, 2.5f), scratch;
  reduce_resolution(values.data(), {30, 31, 32}, 0.6, scratch);
  for (const float value : values) EXPECT_FLOAT_EQ(value, 2.5f);
}

}  // namespace
}  // namespace lacuna::data
