#include "data/ingest/intensity_statistics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

namespace lacuna::data {
namespace {

constexpr std::int64_t kBinVoxels = 50;

// The distinct values of a volume, ascending, with their numbers: all that the statistics need.
struct Level {
  double value;
  std::int64_t voxels;
};
using Levels = std::vector<Level>;

// Edge i of np.linspace(minimum, maximum, bins + 1).
double edge(std::int64_t i, std::int64_t bins, double minimum, double maximum) {
  return i == bins
             ? maximum
             : static_cast<double>(i) * ((maximum - minimum) / static_cast<double>(bins)) + minimum;
}

// The bin of np.histogram: [edge i, edge i+1), the last one closed.
std::int64_t bin_of(double value, std::int64_t bins, double minimum, double maximum) {
  const double position = (value - minimum) / (maximum - minimum) * static_cast<double>(bins);
  auto bin = std::clamp<std::int64_t>(static_cast<std::int64_t>(position), 0, bins - 1);
  while (bin > 0 && value < edge(bin, bins, minimum, maximum)) --bin;
  while (bin < bins - 1 && value >= edge(bin + 1, bins, minimum, maximum)) ++bin;
  return bin;
}

struct Cap {
  double index, edge;
};

Cap histogram_cap(const Levels& levels) {
  const double minimum = levels.front().value, maximum = levels.back().value;
  if (maximum < 1 || maximum == minimum) return {maximum, maximum};
  const auto bins = static_cast<std::int64_t>(std::floor(maximum));
  std::int64_t bin = bins, voxels = 0;
  for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
    const std::int64_t own = bin_of(level->value, bins, minimum, maximum);
    if (own != bin) voxels = 0;
    bin = own;
    voxels += level->voxels;
    if (voxels >= kBinVoxels) {
      return {static_cast<double>(bin), edge(bin + 1, bins, minimum, maximum)};
    }
  }
  return {maximum, maximum};
}

// Mean and population deviation of min(value, cap) over values that differ from the background.
void moments(const Levels& levels, double background, double cap, double& mean, double& deviation) {
  double sum = 0, squares = 0;
  std::int64_t voxels = 0;
  for (const Level& level : levels) {
    if (level.value == background) continue;
    sum += std::min(level.value, cap) * static_cast<double>(level.voxels);
    voxels += level.voxels;
  }
  mean = voxels > 0 ? sum / static_cast<double>(voxels) : 0;
  for (const Level& level : levels) {
    if (level.value == background) continue;
    const double distance = std::min(level.value, cap) - mean;
    squares += distance * distance * static_cast<double>(level.voxels);
  }
  // All alike: dividing by 1 keeps them at 0.
  deviation = squares > 0 ? std::sqrt(squares / static_cast<double>(voxels)) : 1;
}

// The levels of which `keep` holds.
template <typename Keep>
Levels chosen(const Levels& levels, const Keep& keep) {
  Levels kept;
  for (const Level& level : levels) {
    if (keep(level.value)) kept.push_back(level);
  }
  return kept;
}

// Value number `rank`, from 0.
double value_at(const Levels& levels, std::int64_t rank) {
  for (const Level& level : levels) {
    if (rank < level.voxels) return level.value;
    rank -= level.voxels;
  }
  return levels.back().value;
}

// 0 of nothing.
double percentile(const Levels& levels, double percent) {
  std::int64_t voxels = 0;
  for (const Level& level : levels) voxels += level.voxels;
  if (voxels == 0) return 0;
  const double position = percent / 100 * static_cast<double>(voxels - 1);
  const auto rank = static_cast<std::int64_t>(position);
  const double low = value_at(levels, rank);
  const double high = value_at(levels, std::min(rank + 1, voxels - 1));
  const double part = position - static_cast<double>(rank);
  // The two forms of np.percentile: exact at either end.
  return part < 0.5 ? low + (high - low) * part : high - (high - low) * (1 - part);
}

IntensityStatistics from_levels(const Levels& levels, double background) {
  IntensityStatistics result;
  result.minimum = levels.front().value;
  result.maximum = levels.back().value;
  result.background = background;
  const Cap cap = histogram_cap(levels);
  result.cap = cap.index;
  result.cap_edge = cap.edge;
  moments(levels, background, result.maximum, result.mean, result.deviation);
  moments(levels, background, result.cap, result.capped_mean, result.capped_deviation);
  moments(levels, background, result.cap_edge, result.edge_mean, result.edge_deviation);
  const Levels positive = chosen(levels, [](double value) { return value > 0; });
  const double low = percentile(positive, 1), high = percentile(positive, 99);
  result.percentile_1 = low;
  result.percentile_99 = high;
  const Levels content = chosen(levels, [=](double value) { return value != background; });
  result.median = percentile(content, 50);
  const Levels between = chosen(content, [=](double value) { return value > low && value < high; });
  moments(between.empty() ? content : between, background, result.maximum, result.trimmed_mean,
          result.trimmed_deviation);
  return result;
}

}  // namespace

IntensityStatistics intensity_statistics(std::span<const std::int16_t> volume) {
  // Two thirds of a volume and more are background: 64 bytes at a time. Two tables, because equal
  // neighbours would otherwise wait for each other's increment.
  constexpr std::size_t kValues = 1 << 16, kTables = 2, kBlock = 32;
  std::vector<std::uint32_t> counts(kValues * kTables);
  std::array<std::int16_t, kBlock> background;
  background.fill(volume[0]);
  std::uint32_t& empty = counts[static_cast<std::uint16_t>(volume[0])];
  const std::size_t whole = volume.size() / kBlock * kBlock;
  for (std::size_t i = 0; i < whole; i += kBlock) {
    if (std::memcmp(&volume[i], background.data(), sizeof background) == 0) {
      empty += kBlock;
      continue;
    }
    for (std::size_t j = 0; j < kBlock; ++j) {
      ++counts[j % kTables * kValues + static_cast<std::uint16_t>(volume[i + j])];
    }
  }
  for (std::size_t i = whole; i < volume.size(); ++i) {
    ++counts[static_cast<std::uint16_t>(volume[i])];
  }
  Levels levels;
  for (int value = INT16_MIN; value <= INT16_MAX; ++value) {
    std::int64_t voxels = 0;
    for (std::size_t t = 0; t < kTables; ++t) {
      voxels += counts[t * kValues + static_cast<std::uint16_t>(value)];
    }
    if (voxels > 0) levels.push_back({static_cast<double>(value), voxels});
  }
  return from_levels(levels, volume[0]);
}

IntensityStatistics intensity_statistics(std::span<const float> volume) {
  const float background = volume[0];
  std::vector<float> others;
  for (const float value : volume) {
    if (value != background) others.push_back(value);
  }
  const auto same = static_cast<std::int64_t>(volume.size() - others.size());
  std::sort(others.begin(), others.end());
  Levels levels;
  const auto add = [&](double value, std::int64_t voxels) {
    if (!levels.empty() && levels.back().value == value) {
      levels.back().voxels += voxels;
    } else {
      levels.push_back({value, voxels});
    }
  };
  bool placed = false;
  for (const float value : others) {
    if (!placed && value > background) {
      add(background, same);
      placed = true;
    }
    add(value, 1);
  }
  if (!placed) add(background, same);
  return from_levels(levels, background);
}

}  // namespace lacuna::data
