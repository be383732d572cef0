#include "evaluation/scores/score_set.h"

#include <algorithm>
#include <cmath>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/text/options.h"
#include "evaluation/scores/lesion_scores.h"

namespace lacuna::evaluation {
namespace {

using Kind = ScoreDefinition::Kind;

const std::vector<std::string> kVoxelColumns = {"dice", "hd95_directed_mm", "hd95_pooled_mm",
                                                "sensitivity", "specificity"};
const std::vector<std::string> k2023Columns = {"lw_dice", "lw_hd95_mm", "tp", "fp", "fn"};
const std::vector<std::string> k2026Columns = {
    "tp",     "fp",         "fn",          "rq",         "sq_dsc",           "sq_hd95",
    "sq_nsd", "global_dsc", "global_hd95", "global_nsd", "assignment_unique"};
const std::vector<std::string> kSurfaceColumns = {"hd95_mm", "nsd_1mm", "nsd_2mm"};
const std::vector<std::string> kCountColumns = {
    "found_lt50",  "found_50_500",  "found_500_5000",  "found_ge5000",
    "missed_lt50", "missed_50_500", "missed_500_5000", "missed_ge5000",
    "false_lt50",  "false_50_500",  "false_500_5000",  "false_ge5000"};

// Regions that the challenges score; of the first list the cohort must have all.
const std::vector<std::string> kTumourNames = {"ET", "TC", "WT"};
const std::vector<std::string> kNames2026 = {"ET",  "TC",   "WT", "RC", "NETC", "NCR",
                                             "NET", "SNFH", "ED", "CC", "GTV"};

bool is_one_of(const std::string& name, const std::vector<std::string>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool knows(const ScoreDefinition& definition, const std::string& region) {
  switch (definition.kind) {
    case Kind::kLesion2023:
      return is_one_of(region, kTumourNames);
    case Kind::kLesion2026:
      return is_one_of(region, kNames2026);
    default:
      return true;
  }
}

void add_voxel(RegionPair& pair, const VoxelRule& rule, std::vector<double>& values) {
  double directed = 0, pooled = 0;
  if (pair.voxels() > 0 && pair.truth().voxels() > 0) {
    const SurfacePair& distances = pair.distances(SurfaceKind::kVoxels, pair.truth().spacing_mm());
    directed = hd95_directed(distances);
    pooled = hd95_pooled(distances);
  } else if (pair.voxels() + pair.truth().voxels() > 0) {
    directed = pooled = rule.one_empty_mm;
  }
  values.insert(values.end(), {dice(pair, rule.dice_smooth), directed, pooled, sensitivity(pair),
                               specificity(pair)});
}

void add_surface(RegionPair& pair, std::vector<double>& values) {
  if (pair.voxels() == 0 || pair.truth().voxels() == 0) {
    const double nsd = pair.voxels() == pair.truth().voxels() ? kNoNumber : 0;
    values.insert(values.end(), {kInfinite, nsd, nsd});
    return;
  }
  const Spacing spacing = as_decimals(pair.truth().spacing_mm());
  const SurfacePair& distances = pair.distances(SurfaceKind::kElements, spacing);
  values.insert(values.end(),
                {hd95_by_area(distances), nsd_by_area(distances, Tolerance(1, spacing)),
                 nsd_by_area(distances, Tolerance(2, spacing))});
}

void add(const ScoreDefinition& definition, RegionPair& pair, const VoxelRule& rule,
         std::vector<double>& values) {
  switch (definition.kind) {
    case Kind::kVoxel:
      return add_voxel(pair, rule, values);
    case Kind::kSurface:
      return add_surface(pair, values);
    case Kind::kLesion2023: {
      const auto s = score_lesions_2023(pair, {definition.dilations, definition.threshold_mm3});
      for (const double value :
           {s.dice, s.hd95_mm, static_cast<double>(s.found), static_cast<double>(s.false_positives),
            static_cast<double>(s.missed)}) {
        values.push_back(value);
      }
      return;
    }
    case Kind::kLesion2026: {
      const auto s = score_lesions_2026(pair, definition.as_shipped);
      for (const double value :
           {static_cast<double>(s.matched), static_cast<double>(s.false_positives),
            static_cast<double>(s.missed), s.recognition, s.dice, s.hd95_mm, s.nsd, s.global_dice,
            s.global_hd95, s.global_nsd, s.assignment_unique ? 1.0 : 0.0}) {
        values.push_back(value);
      }
      return;
    }
    case Kind::kCounts: {
      const LesionCounts counts = count_lesions(pair);
      for (const auto* group : {&counts.found, &counts.missed, &counts.false_positives}) {
        for (const int number : *group) values.push_back(number);
      }
    }
  }
}

}  // namespace

const std::vector<ScoreDefinition>& all_scores() {
  static const std::vector<ScoreDefinition> scores = {
      {"voxel", Kind::kVoxel, kVoxelColumns},
      {"surface", Kind::kSurface, kSurfaceColumns},
      {"lesions", Kind::kCounts, kCountColumns},
      {"lesion2023-gli", Kind::kLesion2023, k2023Columns, 3, 50},
      {"lesion2023-ssa", Kind::kLesion2023, k2023Columns, 3, 50},
      {"lesion2023-ped", Kind::kLesion2023, k2023Columns, 3, 50},
      {"lesion2023-men", Kind::kLesion2023, k2023Columns, 1, 50},
      {"lesion2023-met", Kind::kLesion2023, k2023Columns, 1, 2},
      {"lesion2026", Kind::kLesion2026, k2026Columns, 0, 0, true},
      {"lesion2026-mm", Kind::kLesion2026, k2026Columns, 0, 0, false},
  };
  return scores;
}

ScoreSet::ScoreSet(const std::vector<std::string>& names) {
  std::vector<std::string> known;
  for (const ScoreDefinition& each : all_scores()) known.push_back(each.name);
  for (const std::string& name : names) {
    const auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end()) {
      const std::string near = nearest(name, known);
      throw_error<ConfigError>("unknown score \"{}\"; known: {}{}", name, fmt::join(known, ", "),
                               near.empty() ? "" : fmt::format(". Did you mean {}?", near));
    }
    const auto* definition = &all_scores()[static_cast<std::size_t>(found - known.begin())];
    if (std::find(definitions_.begin(), definitions_.end(), definition) != definitions_.end()) {
      continue;
    }
    definitions_.push_back(definition);
    for (const std::string& column : definition->columns) columns_.push_back({name, column});
  }
}

std::vector<std::string> ScoreSet::names() const {
  std::vector<std::string> names;
  for (const ScoreDefinition* each : definitions_) names.push_back(each->name);
  return names;
}

void ScoreSet::require_regions(const std::vector<data::Region>& regions,
                               const std::string& where) const {
  std::vector<std::string> names;
  for (const data::Region& region : regions) names.push_back(region.name);
  for (const ScoreDefinition* definition : definitions_) {
    const bool official =
        definition->kind == Kind::kLesion2023 || definition->kind == Kind::kLesion2026;
    if (!official) continue;
    if (definition->kind == Kind::kLesion2026 && is_one_of("GTV", names)) continue;  // MEN-RT
    for (const std::string& needed : kTumourNames) {
      if (is_one_of(needed, names)) continue;
      throw_error<ConfigError>(
          "{} is defined over the regions {}; {} has no {} (its regions: {}). Choose other "
          "--scores, for example voxel,surface,lesions.",
          definition->name, fmt::join(kTumourNames, ", "), where, needed, fmt::join(names, ", "));
    }
  }
}

std::vector<double> ScoreSet::score(RegionPair& pair, const std::string& region,
                                    const VoxelRule& rule) const {
  std::vector<double> values;
  for (const ScoreDefinition* definition : definitions_) {
    if (knows(*definition, region)) {
      add(*definition, pair, rule, values);
    } else {
      values.insert(values.end(), definition->columns.size(), kNoNumber);
    }
  }
  return values;
}

std::string why_no_number(const ScoreColumn& column, double value, const std::string& region,
                          std::int64_t predicted_voxels, std::int64_t true_voxels) {
  for (const ScoreDefinition& definition : all_scores()) {
    if (definition.name == column.score && !knows(definition, region)) {
      return fmt::format("{} does not define the region {}", column.score, region);
    }
  }
  const char* kind = std::isnan(value) ? "not a number" : "infinite";
  if (predicted_voxels == 0 && true_voxels == 0)
    return fmt::format("{}: both masks are empty", kind);
  if (predicted_voxels == 0) return fmt::format("{}: the prediction is empty", kind);
  if (true_voxels == 0) return fmt::format("{}: the truth is empty", kind);
  return fmt::format("{}: no true lesion has a partner, the masks share no voxel", kind);
}

double dice(const RegionPair& pair, double smooth) {
  const std::int64_t voxels = pair.voxels() + pair.truth_voxels();
  if (voxels == 0) return 1;
  return (2 * static_cast<double>(pair.common()) + smooth) / (static_cast<double>(voxels) + smooth);
}

double sensitivity(const RegionPair& pair) {
  if (pair.truth_voxels() == 0) return pair.voxels() == 0 ? 1 : 0;
  return static_cast<double>(pair.common()) / static_cast<double>(pair.truth_voxels());
}

double specificity(const RegionPair& pair) {
  const Extent& extent = pair.mask().extent();
  const std::int64_t outside = extent[0] * extent[1] * extent[2] - pair.truth_voxels();
  if (outside == 0) return 0;  // as the challenge's fraction with a tiny denominator
  const std::int64_t wrong = pair.voxels() - pair.common();
  return static_cast<double>(outside - wrong) / static_cast<double>(outside);
}

}  // namespace lacuna::evaluation
