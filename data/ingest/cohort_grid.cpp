#include "data/ingest/cohort_grid.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <map>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/process/parallel.h"
#include "data/nifti/nifti.h"
#include "data/nifti/orientation.h"
#include "data/types/axis_order.h"

namespace lacuna::data {
namespace {

namespace fs = std::filesystem;

struct Found {
  std::string orientation;           // "": not known
  std::array<double, 3> voxel_mm{};  // along i, j, k; 0: could not be read
};

Found look_at(const SourceCase& source) {
  for (const auto& image : source.images) {
    if (image.empty()) continue;
    try {
      const NiftiHeader header = read_volume_header(image);
      return {header.has_position() ? axis_codes(header.affine()) : "", header.voxel_mm};
    } catch (const DataError&) {
      return {};
    }
  }
  return {};
}

bool same_size(const std::array<double, 3>& a, const std::array<double, 3>& b) {
  for (std::size_t axis = 0; axis < 3; ++axis) {
    if (std::abs(a[axis] - b[axis]) > kSpacingTolerance * b[axis]) return false;
  }
  return true;
}

fs::path find_map(const fs::path& directory, const SourceCase& source, std::size_t m,
                  const std::string& modality) {
  std::vector<std::string> names;
  const std::string& id = source.name.id;
  if (const std::string image = source.images[m].filename().string();
      image.find(id) != std::string::npos) {
    names.push_back(image);
  }
  for (const char* end : {".nii.gz", ".nii"}) names.push_back(id + "_" + modality + end);
  for (const fs::path& place : {directory / id, directory}) {
    for (const std::string& name : names) {
      if (fs::exists(place / name)) return place / name;
    }
  }
  return {};
}

}  // namespace

std::optional<Grid> common_grid(const std::vector<SourceCase>& cases, int jobs) {
  std::vector<Found> found(cases.size());
  parallel_for(jobs, static_cast<std::int64_t>(cases.size()), [&](std::int64_t i) {
    found[static_cast<std::size_t>(i)] = look_at(cases[static_cast<std::size_t>(i)]);
  });
  std::erase_if(found, [](const Found& each) { return !(each.voxel_mm[0] > 0); });
  if (found.empty()) return std::nullopt;
  std::map<std::string, int> votes;
  for (const Found& each : found) {
    if (!each.orientation.empty()) ++votes[each.orientation];
  }
  Grid grid;
  int most = 0;
  for (const Found& each : found) {  // in order of ids: of equals the first one wins
    if (each.orientation.empty() || votes[each.orientation] <= most) continue;
    most = votes[each.orientation];
    grid.orientation = each.orientation;
  }
  for (Found& each : found) {
    if (each.orientation.empty() || grid.orientation.empty()) continue;
    each.voxel_mm = turned(each.voxel_mm, axis_turn(each.orientation, grid.orientation));
  }
  std::map<std::array<double, 3>, std::int64_t> sizes;
  for (const Found& each : found) ++sizes[each.voxel_mm];
  std::int64_t best = 0;
  for (const auto& [size, own] : sizes) {
    std::int64_t near = 0;
    for (const auto& [other, times] : sizes) near += same_size(other, size) ? times : 0;
    // Of voxel sizes with equally many neighbours the one that more cases have exactly.
    if (near * (std::int64_t{1} << 32) + own > best) {
      best = near * (std::int64_t{1} << 32) + own;
      grid.spacing_mm = to_depth_first(size);
    }
  }
  return grid;
}

std::string unlike_published(const Profile& profile, const Grid& grid) {
  const std::array<double, 3> here = to_file_order(grid.spacing_mm);
  std::vector<std::string> published;
  for (const ProfileGrid& each : profile.grids) {
    std::array<double, 3> there = each.spacing_mm;
    if (!(there[0] > 0)) return "";
    if (!each.axes.empty() && !grid.orientation.empty()) {
      there = turned(there, axis_turn(each.axes, grid.orientation));
    }
    if (same_size(here, there)) return "";
    published.push_back(fmt::format("{}", fmt::join(there, " x ")));
  }
  if (published.empty()) return "";
  return fmt::format(
      "most volumes have voxels of {} mm, {} is published with {}: were they prepared as its cases "
      "are (registered, resampled, skull-stripped)?",
      fmt::join(here, " x "), profile.title, fmt::join(published, " or "));
}

std::vector<std::string> find_label_maps(const std::vector<std::pair<std::string, fs::path>>& maps,
                                         const std::vector<std::string>& modalities,
                                         std::vector<SourceCase>& cases) {
  std::vector<std::string> lines;
  for (const auto& [name, directory] : maps) {
    const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '_' || c == '-';
    });
    if (!plain) {
      throw_error<ConfigError>(
          "--extra {}={}: a label map is named by letters, digits, - and _ only", name,
          directory.string());
    }
    if (!fs::is_directory(directory)) {
      throw_error<ConfigError>("--extra {}={}: no such directory", name, directory.string());
    }
    std::size_t having = 0;
    for (SourceCase& source : cases) {
      LabelMapSource map{name, {}, ""};
      std::vector<std::string> lacking;
      std::size_t there = 0;
      for (std::size_t m = 0; m < modalities.size(); ++m) {
        map.files.push_back(
            source.images[m].empty() ? fs::path() : find_map(directory, source, m, modalities[m]));
        if (!map.files.back().empty()) ++there;
        if (map.files.back().empty() && !source.images[m].empty()) lacking.push_back(modalities[m]);
      }
      if (there == 0) continue;
      if (!lacking.empty()) {
        map.problem = fmt::format(
            "{}: label map {} of case {} has no file for {}. Add it, or remove those of the other "
            "modalities.",
            directory.string(), name, source.name.id, fmt::join(lacking, ", "));
      }
      source.label_maps.push_back(std::move(map));
      ++having;
    }
    if (having == 0) {
      throw_error<ConfigError>(
          "--extra {}={}: no case has a file there; looked for, for example, {}_{}.nii.gz", name,
          directory.string(), cases.empty() ? "ID" : cases.front().name.id, modalities.front());
    }
    lines.push_back(
        fmt::format("label map {}: {} of {} cases have it", name, having, cases.size()));
  }
  return lines;
}

}  // namespace lacuna::data
