#include "data/ingest/intensity_statistics.h"

#include <fstream>

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/text/json.h"
#include "tests/base/python.h"

namespace lacuna::data {
namespace {

Json to_json(const IntensityStatistics& s) {
  return {{"minimum", s.minimum},
          {"maximum", s.maximum},
          {"background", s.background},
          {"mean", s.mean},
          {"deviation", s.deviation},
          {"cap", s.cap},
          {"capped_mean", s.capped_mean},
          {"capped_deviation", s.capped_deviation},
          {"percentile_1", s.percentile_1},
          {"percentile_99", s.percentile_99},
          {"trimmed_mean", s.trimmed_mean},
          {"trimmed_deviation", s.trimmed_deviation},
          {"median", s.median},
          {"cap_edge", s.cap_edge},
          {"edge_mean", s.edge_mean},
          {"edge_deviation", s.edge_deviation}};
}

template <typename T>
void save(const std::filesystem::path& stem, const std::vector<T>& volume) {
  std::ofstream(stem.string() + ".bin", std::ios::binary)
      .write(reinterpret_cast<const char*>(volume.data()),
             static_cast<std::streamsize>(volume.size() * sizeof(T)));
  std::ofstream(stem.string() + ".json") << to_json(intensity_statistics(volume)).dump();
}

// The published code, line by line: np.histogram, np.argwhere(Hist >= 50)[-1], mean and std over
// voxels that differ from the first one, np.percentile of the positive ones.
constexpr const char* kBruteForce = R"(
import glob, json, sys
import numpy as np
bad = 0
for path in sorted(glob.glob(sys.argv[1] + "/*.json")):
    ours = json.load(open(path))
    kind = np.int16 if "int" in path else np.float32
    x = np.fromfile(path.replace(".json", ".bin"), kind).astype(np.float64)
    other = x != x[0]
    cap = edge = x.max()
    if x.max() >= 1:
        hist, edges = np.histogram(x, bins=int(x.max()))
        enough = np.argwhere(hist >= 50)
        cap = enough[-1, 0] if len(enough) else x.max()
        edge = edges[cap + 1] if len(enough) else x.max()
    c, e = np.minimum(x, cap), np.minimum(x, edge)
    p = np.percentile(x[x > 0], [1, 99]) if (x > 0).any() else [0, 0]
    t = x[other & (x > p[0]) & (x < p[1])]
    theirs = dict(trimmed_mean=t.mean(), trimmed_deviation=t.std(), median=np.median(x[other]),
                  cap_edge=edge, edge_mean=e[other].mean(), edge_deviation=e[other].std(),
                  minimum=x.min(), maximum=x.max(), background=x[0], mean=x[other].mean(),
                  deviation=x[other].std(), cap=cap, capped_mean=c[other].mean(),
                  capped_deviation=c[other].std(), percentile_1=p[0], percentile_99=p[1])
    for name, value in theirs.items():
        if not np.isclose(ours[name], value, rtol=1e-12, atol=1e-12):
            print(path, name, ours[name], value)
            bad = 1
sys.exit(bad)
)";

TEST(IntensityStatistics, EqualThePublishedDefinitionsInNumPy) {
  LACUNA_NEEDS_PYTHON();
  const TemporaryDirectory folder;
  // Heads of noise on an empty background, with a few very bright voxels: minimum 0, below and
  // above it, a background that is not 0, and values below 1.
  for (int trial = 0; trial < 6; ++trial) {
    Stream stream(9, Purpose::kTest, static_cast<std::uint64_t>(trial));
    const double shift = trial == 1 ? -40 : trial == 2 ? 25 : 0;
    const double scale = trial == 3 ? 0.004 : 1;
    std::vector<std::int16_t> integers;
    std::vector<float> reals;
    for (int i = 0; i < 20000; ++i) {
      const bool head = i > 0 && stream.chance(0.4);
      double value = head ? 200 + 60 * stream.normal() : 0;
      if (head && stream.chance(0.001)) value = 900 + 400 * stream.uniform();
      integers.push_back(static_cast<std::int16_t>(value + shift));
      reals.push_back(static_cast<float>((value + shift) * scale));
    }
    save(folder / ("int" + std::to_string(trial)), integers);
    save(folder / ("real" + std::to_string(trial)), reals);
  }
  EXPECT_TRUE(run_python(kBruteForce, folder.path()));
}

// 60 voxels at 10, 40 at 20: of the 20 bins over [0, 20] the last with 50 or more is [10, 11).
TEST(IntensityStatistics, CapIsTheIndexOfTheLastFullBin) {
  std::vector<std::int16_t> volume(200, 0);
  std::fill(volume.begin() + 1, volume.begin() + 61, std::int16_t{10});
  std::fill(volume.begin() + 61, volume.begin() + 101, std::int16_t{20});
  const IntensityStatistics statistics = intensity_statistics(volume);
  EXPECT_EQ(statistics.cap, 10);
  EXPECT_EQ(statistics.mean, 14);             // (60 * 10 + 40 * 20) / 100
  EXPECT_EQ(statistics.capped_mean, 10);      // all clipped to 10
  EXPECT_EQ(statistics.capped_deviation, 1);  // all alike: 1, so that dividing is harmless
  EXPECT_EQ(statistics.percentile_99, 20);
  EXPECT_EQ(statistics.median, 10);
  EXPECT_EQ(statistics.cap_edge, 11);
  EXPECT_EQ(statistics.edge_mean, 10.4);  // (60 * 10 + 40 * 11) / 100
  // None lies strictly between 10 and 20: all count.
  EXPECT_EQ(statistics.trimmed_mean, 14);
}

// Background 25 lies between the percentiles of the head and is left out of its trimmed mean.
TEST(IntensityStatistics, TrimmedMomentsLeaveTheBackgroundOut) {
  std::vector<float> volume(1000, 25.0f);
  for (std::size_t i = 1; i <= 101; ++i) volume[i] = static_cast<float>(i);
  const IntensityStatistics statistics = intensity_statistics(volume);
  EXPECT_GT(statistics.percentile_99, 90);
  double sum = 0, voxels = 0;
  for (int value = 1; value <= 101; ++value) {
    if (value == 25 || value <= statistics.percentile_1 || value >= statistics.percentile_99)
      continue;
    sum += value;
    ++voxels;
  }
  EXPECT_NEAR(statistics.trimmed_mean, sum / voxels, 1e-12);
}

}  // namespace
}  // namespace lacuna::data
