#include "evaluation/scores/region_minimum.h"

#include <algorithm>
#include <bit>
#include <charconv>

#include <fmt/ranges.h>

#include "base/error.h"

namespace lacuna::evaluation {
namespace {

const data::Region& region_named(const std::vector<data::Region>& regions,
                                 const std::string& name) {
  std::vector<std::string> names;
  for (const data::Region& region : regions) {
    if (region.name == name) return region;
    names.push_back(region.name);
  }
  throw_error<ConfigError>("a minimum size for {}, which is none of the regions {}", name,
                           fmt::join(names, ", "));
}

}  // namespace

std::string RegionMinimum::name() const { return fmt::format("{}_pp{}", region, voxels); }

RegionMinimum parse_minimum(const std::string& region, const std::string& text) {
  RegionMinimum rule{region, 0, true};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, rule.voxels);
  const std::string action(rest, end);
  const bool known = action.empty() || action == ":relabel" || action == ":drop";
  if (region.empty() || error != std::errc{} || rule.voxels < 1 || !known) {
    throw_error<ConfigError>(
        "\"{}\" is no minimum size of a region: write voxels and what happens below, as in 500, "
        "500:relabel (fewer voxels become necrosis) or 500:drop (the region's own score is that "
        "of an empty one)",
        text);
  }
  rule.relabel = action != ":drop";
  return rule;
}

RegionMinimum parse_region_minimum(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) {
    throw_error<ConfigError>("\"{}\": write region and minimum, as in ET=500:drop", text);
  }
  return parse_minimum(text.substr(0, equals), text.substr(equals + 1));
}

bool is_emptied(const RegionMinimum& rule, std::int64_t predicted_voxels) {
  return predicted_voxels < rule.voxels;
}

int relabel_small_regions(const std::vector<RegionMinimum>& rules,
                          const std::vector<data::Region>& regions,
                          std::vector<std::uint8_t>& labels) {
  int acted = 0;
  for (const RegionMinimum& rule : rules) {
    if (!rule.relabel) continue;
    const data::Region& region = region_named(regions, rule.region);
    if (std::popcount(region.tissues) != 1) {
      throw_error<ConfigError>(
          "{} holds several tissues: which of them should become necrosis is not defined. Use "
          "{}={}:drop",
          rule.region, rule.region, rule.voxels);
    }
    const auto tissue = static_cast<std::uint8_t>(std::countr_zero(region.tissues));
    const auto found = std::count(labels.begin(), labels.end(), tissue);
    if (found == 0 || !is_emptied(rule, found)) continue;
    std::replace(labels.begin(), labels.end(), tissue,
                 static_cast<std::uint8_t>(data::Tissue::kNecrosis));
    ++acted;
  }
  return acted;
}

void require_known(const std::vector<RegionMinimum>& rules,
                   const std::vector<data::Region>& regions) {
  for (const RegionMinimum& rule : rules) region_named(regions, rule.region);
}

}  // namespace lacuna::evaluation
