#include "evaluation/prediction/dealt_cases.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>

#include "evaluation/prediction/packing.h"

namespace lacuna::evaluation {
namespace {

// Subsets that can be scored take time in proportion, the rest of a case about as much as one.
std::int64_t work_of(const data::CaseInfo& info, const std::vector<data::SubsetMask>& subsets) {
  const auto [depth, height, width] = info.full_extent;
  const auto scored = std::count_if(subsets.begin(), subsets.end(), [&](data::SubsetMask subset) {
    return (subset & ~info.available) == 0;
  });
  return depth * height * width * (1 + scored);
}

void put(Packer& packer, const std::vector<RegionScore>& regions) {
  packer.put(std::uint64_t{regions.size()});
  for (const RegionScore& region : regions) {
    packer.put(region.dice);
    packer.put(region.hd95_mm);
    packer.put(region.predicted_voxels);
    packer.put(region.true_voxels);
    packer.put(region.values);
  }
}

std::vector<RegionScore> take_regions(Unpacker& unpacker) {
  std::vector<RegionScore> regions;
  for (auto count = unpacker.take<std::uint64_t>(); count > 0; --count) {
    RegionScore& region = regions.emplace_back();
    region.dice = unpacker.take<double>();
    region.hd95_mm = unpacker.take<double>();
    region.predicted_voxels = unpacker.take<std::int64_t>();
    region.true_voxels = unpacker.take<std::int64_t>();
    region.values = unpacker.take_list<double>();
  }
  return regions;
}

}  // namespace

std::vector<int> deal_cases(const data::Cohort& cohort, const std::vector<int>& cases,
                            const std::vector<data::SubsetMask>& subsets, int ranks, int rank) {
  std::vector<std::pair<std::int64_t, int>> longest;  // work, case
  for (const int index : cases) {
    longest.emplace_back(work_of(cohort.cases[static_cast<std::size_t>(index)], subsets), index);
  }
  std::stable_sort(longest.begin(), longest.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::int64_t> given(static_cast<std::size_t>(ranks), 0);
  std::vector<int> mine;
  for (const auto& [work, index] : longest) {
    const auto least = std::min_element(given.begin(), given.end());
    *least += work;
    if (least - given.begin() == rank) mine.push_back(index);
  }
  return mine;
}

std::string pack(const Findings& findings, const OverlayWriter& overlays) {
  Packer packer;
  packer.put(std::uint64_t{findings.scores.size()});
  for (const CaseScore& score : findings.scores) {
    packer.put(score.case_id);
    packer.put(score.institution);
    packer.put(score.subset);
    put(packer, score.regions);
    put(packer, score.processed);
    packer.put(score.checksum);
  }
  packer.put(std::uint64_t{findings.unread.size()});
  for (const UnreadCase& each : findings.unread) {
    packer.put(each.case_id);
    packer.put(each.reason);
  }
  overlays.pack(packer);
  return std::move(packer.bytes);
}

void unpack(const std::string& bytes, Findings& findings, OverlayWriter& overlays) {
  Unpacker unpacker(bytes);
  for (auto count = unpacker.take<std::uint64_t>(); count > 0; --count) {
    CaseScore& score = findings.scores.emplace_back();
    score.case_id = unpacker.take_text();
    score.institution = unpacker.take_text();
    score.subset = unpacker.take<data::SubsetMask>();
    score.regions = take_regions(unpacker);
    score.processed = take_regions(unpacker);
    score.checksum = unpacker.take_text();
  }
  for (auto count = unpacker.take<std::uint64_t>(); count > 0; --count) {
    UnreadCase& each = findings.unread.emplace_back();
    each.case_id = unpacker.take_text();
    each.reason = unpacker.take_text();
  }
  overlays.unpack(unpacker);
}

void sort_findings(Findings& findings, const data::Cohort& cohort, const std::vector<int>& cases) {
  std::map<std::string, std::size_t> place;
  for (const int index : cases) {
    place.emplace(cohort.cases[static_cast<std::size_t>(index)].id, place.size());
  }
  const auto earlier = [&](const auto& a, const auto& b) {
    return place.at(a.case_id) < place.at(b.case_id);
  };
  std::stable_sort(findings.scores.begin(), findings.scores.end(), earlier);
  std::stable_sort(findings.unread.begin(), findings.unread.end(), earlier);
}

}  // namespace lacuna::evaluation
