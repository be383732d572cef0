#include "evaluation/volumes/components.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace lacuna::evaluation {
namespace {

// The row, moved by one voxel to either side and united with itself.
std::uint64_t widened(std::span<const std::uint64_t> row, std::size_t i) {
  const std::uint64_t left = row[i] << 1 | (i > 0 ? row[i - 1] >> 63 : 0);
  const std::uint64_t right = row[i] >> 1 | (i + 1 < row.size() ? row[i + 1] << 63 : 0);
  return row[i] | left | right;
}

// Calls use(begin, end) for each run of set bits of a row.
template <typename Use>
void for_each_run(std::span<const std::uint64_t> row, const Use& use) {
  std::int64_t begin = -1;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::int64_t base = static_cast<std::int64_t>(i) * kWordBits;
    std::uint64_t word = row[i];
    if (begin >= 0 && word == ~std::uint64_t{0}) continue;  // the run goes on
    int at = 0;
    if (begin >= 0) {
      at = std::countr_one(word);
      use(begin, base + at);
      begin = -1;
      word = at == kWordBits ? 0 : word >> at << at;
    }
    while (word != 0) {
      at = std::countr_zero(word);
      const int length = std::countr_one(word >> at);
      if (at + length == kWordBits) {
        begin = base + at;
        break;
      }
      use(base + at, base + at + length);
      word = word >> (at + length) << (at + length);
    }
  }
  if (begin >= 0) use(begin, static_cast<std::int64_t>(row.size()) * kWordBits);
}

std::int32_t find(std::vector<std::int32_t>& parent, std::int32_t i) {
  while (parent[static_cast<std::size_t>(i)] != i) {
    auto& up = parent[static_cast<std::size_t>(i)];
    up = parent[static_cast<std::size_t>(up)];
    i = up;
  }
  return i;
}

// The earlier root stays, so that roots are first runs.
void join(std::vector<std::int32_t>& parent, std::int32_t i, std::int32_t j) {
  i = find(parent, i);
  j = find(parent, j);
  parent[static_cast<std::size_t>(std::max(i, j))] = std::min(i, j);
}

// The bounding box of runs.
Box box_of(const std::vector<Run>& runs) {
  if (runs.empty()) return {};
  Run low = runs.front(), high = runs.front();
  for (const Run& run : runs) {
    low.h = std::min(low.h, run.h);
    high.h = std::max(high.h, run.h);
    low.begin = std::min(low.begin, run.begin);
    high.end = std::max(high.end, run.end);
  }
  low.d = runs.front().d;  // runs are in order
  high.d = runs.back().d;
  return {{low.d, low.h, low.begin},
          {high.d - low.d + 1, high.h - low.h + 1, high.end - low.begin}};
}

}  // namespace

RunList runs_of(const Mask& mask) {
  RunList list;
  for (std::int64_t d = 0; d < mask.extent()[0]; ++d) {
    for (std::int64_t h = 0; h < mask.extent()[1]; ++h) {
      for_each_run(mask.row(d, h), [&](std::int64_t begin, std::int64_t end) {
        list.runs.push_back({static_cast<std::int32_t>(d), static_cast<std::int32_t>(h),
                             static_cast<std::int32_t>(begin), static_cast<std::int32_t>(end)});
        list.voxels += end - begin;
      });
    }
  }
  list.box = box_of(list.runs);
  return list;
}

void draw(const RunList& list, const Extent& corner, Mask& mask) {
  for (const Run& run : list.runs) {
    const auto row = mask.row(run.d - corner[0], run.h - corner[1]);
    const std::int64_t begin = run.begin - corner[2], end = run.end - corner[2];
    for (std::int64_t i = begin / kWordBits; i * kWordBits < end; ++i) {
      const std::int64_t low = std::max<std::int64_t>(0, begin - i * kWordBits);
      const std::int64_t high = std::min(kWordBits, end - i * kWordBits);
      const std::uint64_t below_high =
          high == kWordBits ? ~std::uint64_t{0} : (std::uint64_t{1} << high) - 1;
      row[static_cast<std::size_t>(i)] |= below_high >> low << low;
    }
  }
}

Box grow(const Box& box, std::int64_t margin, const Extent& extent) {
  if (box.empty()) return box;
  Box grown;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    grown.corner[axis] = std::max<std::int64_t>(0, box.corner[axis] - margin);
    grown.extent[axis] =
        std::min(extent[axis], box.corner[axis] + box.extent[axis] + margin) - grown.corner[axis];
  }
  return grown;
}

Mask dilate_18(const Mask& mask) {
  const Extent& extent = mask.extent();
  const auto words = static_cast<std::size_t>(mask.words_per_row());
  const int tail = static_cast<int>(extent[2] % kWordBits);
  const std::uint64_t last = tail == 0 ? ~std::uint64_t{0} : (std::uint64_t{1} << tail) - 1;
  Mask result(extent);
  for (std::int64_t d = 0; d < extent[0]; ++d) {
    for (std::int64_t h = 0; h < extent[1]; ++h) {
      const auto out = result.row(d, h);
      for (std::int64_t dd = std::max<std::int64_t>(0, d - 1); dd <= d + 1 && dd < extent[0];
           ++dd) {
        for (std::int64_t hh = std::max<std::int64_t>(0, h - 1); hh <= h + 1 && hh < extent[1];
             ++hh) {
          const auto row = mask.row(dd, hh);
          const bool diagonal = dd != d && hh != h;  // an edge already: no step along W
          for (std::size_t i = 0; i < words; ++i) out[i] |= diagonal ? row[i] : widened(row, i);
        }
      }
      out[words - 1] &= last;
    }
  }
  return result;
}

Components::Components(const Mask& mask, const Extent& corner) {
  const Extent& extent = mask.extent();
  std::vector<std::size_t> first;  // run of each row
  first.reserve(static_cast<std::size_t>(extent[0] * extent[1] + 1));
  for (std::int64_t d = 0; d < extent[0]; ++d) {
    for (std::int64_t h = 0; h < extent[1]; ++h) {
      first.push_back(runs_.size());
      for_each_run(mask.row(d, h), [&](std::int64_t begin, std::int64_t end) {
        runs_.push_back({static_cast<std::int32_t>(d + corner[0]),
                         static_cast<std::int32_t>(h + corner[1]),
                         static_cast<std::int32_t>(begin + corner[2]),
                         static_cast<std::int32_t>(end + corner[2])});
      });
    }
  }
  first.push_back(runs_.size());
  std::vector<std::int32_t> parent(runs_.size());
  std::iota(parent.begin(), parent.end(), 0);
  const auto join_rows = [&](std::size_t row, std::size_t other) {
    for (std::size_t i = first[row], j = first[other];
         i < first[row + 1] && j < first[other + 1];) {
      // Runs of neighbouring rows touch when they overlap or meet at a corner.
      if (runs_[i].begin <= runs_[j].end && runs_[j].begin <= runs_[i].end) {
        join(parent, static_cast<std::int32_t>(i), static_cast<std::int32_t>(j));
      }
      runs_[i].end < runs_[j].end ? ++i : ++j;
    }
  };
  for (std::int64_t d = 0; d < extent[0]; ++d) {
    for (std::int64_t h = 0; h < extent[1]; ++h) {
      const auto row = static_cast<std::size_t>(d * extent[1] + h);
      const auto height = static_cast<std::size_t>(extent[1]);
      if (first[row] == first[row + 1]) continue;
      if (h > 0) join_rows(row, row - 1);
      if (d == 0) continue;
      if (h > 0) join_rows(row, row - height - 1);
      join_rows(row, row - height);
      if (h + 1 < extent[1]) join_rows(row, row - height + 1);
    }
  }
  component_.resize(runs_.size());
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    const std::int32_t root = find(parent, static_cast<std::int32_t>(i));
    if (root == static_cast<std::int32_t>(i)) {  // the first run of a new component
      component_[i] = count();
      voxels_.push_back(0);
      members_.emplace_back();
    } else {
      component_[i] = component_[static_cast<std::size_t>(root)];
    }
    const auto component = static_cast<std::size_t>(component_[i]);
    voxels_[component] += runs_[i].end - runs_[i].begin;
    members_[component].push_back(static_cast<std::int32_t>(i));
  }
}

RunList Components::select(std::span<const int> components) const {
  RunList list;
  std::vector<std::int32_t> chosen;
  for (const int component : components) {
    const auto& members = members_[static_cast<std::size_t>(component)];
    chosen.insert(chosen.end(), members.begin(), members.end());
    list.voxels += voxels(component);
  }
  if (components.size() > 1) std::sort(chosen.begin(), chosen.end());
  list.runs.reserve(chosen.size());
  for (const std::int32_t run : chosen) {
    list.runs.push_back(runs_[static_cast<std::size_t>(run)]);
  }
  list.box = box_of(list.runs);
  return list;
}

}  // namespace lacuna::evaluation
