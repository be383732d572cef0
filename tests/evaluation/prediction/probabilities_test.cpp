// Calibration and RankSEG against MONAI, MetricsReloaded and rankseg (tests/evaluation/vectors).
#include <cstring>
#include <numeric>

#include <gtest/gtest.h>

#include "base/random.h"
#include "evaluation/prediction/calibration.h"
#include "evaluation/prediction/rankseg.h"
#include "tests/evaluation/vectors.h"

namespace lacuna::evaluation {
namespace {

template <typename T>
std::vector<T> values_of(const TensorFile& file, const std::string& name) {
  const TensorView* tensor = file.find(name);
  std::vector<T> values(tensor->bytes.size() / sizeof(T));
  std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
  return values;
}

TEST(Calibration, EqualsTheOfficialNumbers) {
  const TensorFile file(vectors_directory() / "intervals.safetensors");
  const Json expected = read_json(vectors_directory() / "intervals.json")["calibration"];
  const auto p = values_of<float>(file, "calibration/p");
  const auto y = values_of<std::uint8_t>(file, "calibration/truth");
  const auto brain = values_of<std::uint8_t>(file, "calibration/brain");
  const std::size_t voxels = brain.size();
  int compared = 0;
  for (const auto& [name, theirs] : expected.items()) {
    const std::size_t slash = name.find('/');
    const std::string region = name.substr(slash + 1);
    const std::size_t channel = region == "ET" ? 0 : region == "TC" ? 1 : 2;
    const bool whole = name.substr(0, slash) == "volume";
    for (const int bins : {10, 15, 20}) {
      const Calibration ours = calibrate(
          std::span(p).subspan(channel * voxels, voxels),
          std::span(y).subspan(channel * voxels, voxels),
          whole ? std::span<const std::uint8_t>() : std::span<const std::uint8_t>(brain), bins);
      const Json& row = theirs["bins_" + std::to_string(bins)];
      EXPECT_NEAR(ours.ece, row["ece"].get<double>(), 1e-9) << name << bins;
      EXPECT_NEAR(ours.ace, row["ace"].get<double>(), 1e-9) << name << bins;
      EXPECT_NEAR(ours.mce, row["mce"].get<double>(), 1e-9) << name << bins;
      EXPECT_NEAR(ours.brier, theirs["brier"].get<double>(), 1e-9) << name;
      EXPECT_NEAR(ours.nll, theirs["nll_clamped_1e-7"].get<double>(), 1e-9) << name;
      ++compared;
    }
  }
  EXPECT_GE(compared, 9);
}

TEST(RankSeg, EqualsThePackagesMasks) {
  const TensorFile file(vectors_directory() / "intervals.safetensors");
  const auto exact = values_of<double>(file, "rankseg/p");
  const auto masks = values_of<std::uint8_t>(file, "rankseg/mask");
  const std::vector<float> p(exact.begin(), exact.end());
  const std::size_t voxels = p.size() / 5;
  for (std::size_t i = 0; i < 5; ++i) {
    const auto ours = decode_rankseg(std::span(p).subspan(i * voxels, voxels));
    EXPECT_TRUE(std::equal(ours.begin(), ours.end(),
                           masks.begin() + static_cast<std::ptrdiff_t>(i * voxels)))
        << i << ": " << std::accumulate(ours.begin(), ours.end(), 0) << " voxels";
  }
}

// The cut that a full sort finds, over probabilities of many shapes.
TEST(RankSeg, FindsTheFirstMaximumOfTheScore) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Stream stream(seed, Purpose::kTest, 5);
    std::vector<float> p(500);
    const double power = stream.uniform(0.2, 6);
    for (float& value : p) {
      value = static_cast<float>(std::pow(stream.uniform(), power));
      if (seed % 3 == 0) value = std::round(value * 20) / 20;  // many ties
    }
    std::vector<std::size_t> order(p.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return p[a] > p[b]; });
    const double total = std::accumulate(p.begin(), p.end(), 0.0);
    double sum = 0, best = -1;
    std::size_t cut = 0;
    for (std::size_t k = 1; k <= p.size(); ++k) {
      sum += p[order[k - 1]];
      const double score = 2 * sum / (total + static_cast<double>(k) + 1);
      if (score > best + 1e-12) {
        best = score;
        cut = k;
      }
    }
    std::vector<std::uint8_t> expected(p.size());
    if (p[order[0]] > 0.5f) {
      for (std::size_t k = 0; k < cut; ++k) expected[order[k]] = 1;
    }
    EXPECT_EQ(decode_rankseg(p), expected) << seed;
  }
}

}  // namespace
}  // namespace lacuna::evaluation
