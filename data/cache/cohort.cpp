#include "data/cache/cohort.h"

#include <algorithm>
#include <set>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/files/hash.h"
#include "base/text/options.h"
#include "base/text/parse_json.h"
#include "data/cache/case_header.h"

namespace lacuna::data {
namespace {

constexpr const char* kCohortFormat = "lacuna-cohort";
constexpr const char* kFileName = "cohort.json";

// 2: patients and visits of cases, splits that are kept. 1 is read, with each case as a patient.
constexpr int kVersion = 2, kOldestVersion = 1;

Json to_json(const CaseInfo& info, const ModalitySet& modalities) {
  Json json = {{"id", info.id},
               {"patient", info.patient},
               {"visit", info.visit},
               {"institution", info.institution},
               {"grade", info.grade},
               {"file", info.file},
               {"available", modalities.format(info.available)},
               {"full_extent", info.full_extent},
               {"box_offset", info.box_offset},
               {"box_extent", info.box_extent},
               {"spacing_mm", info.spacing_mm},
               {"affine", info.affine},
               {"has_label", info.has_label},
               {"bytes", info.bytes},
               {"checksum", info.checksum}};
  if (!info.label_maps.empty()) json["label_maps"] = info.label_maps;
  return json;
}

CaseInfo case_from_json(const Json& json, const ModalitySet& modalities) {
  CaseInfo info;
  json.at("id").get_to(info.id);
  info.patient = json.value("patient", "");
  if (info.patient.empty()) info.patient = info.id;
  info.visit = json.value("visit", "");
  json.at("institution").get_to(info.institution);
  json.at("grade").get_to(info.grade);
  json.at("file").get_to(info.file);
  info.available = modalities.parse(json.at("available").get<std::string>());
  json.at("full_extent").get_to(info.full_extent);
  json.at("box_offset").get_to(info.box_offset);
  json.at("box_extent").get_to(info.box_extent);
  json.at("spacing_mm").get_to(info.spacing_mm);
  json.at("affine").get_to(info.affine);
  json.at("has_label").get_to(info.has_label);
  json.at("bytes").get_to(info.bytes);
  json.at("checksum").get_to(info.checksum);
  if (json.contains("label_maps")) json.at("label_maps").get_to(info.label_maps);
  return info;
}

Json regions_to_json(const std::vector<Region>& regions) {
  Json list = Json::array();
  for (const Region& region : regions) {
    Json tissues = Json::array();
    for (std::uint32_t t = 0; t < 32; ++t) {
      if ((region.tissues >> t & 1u) != 0) tissues.push_back(t);
    }
    list.push_back({{"name", region.name}, {"tissues", tissues}});
  }
  return list;
}

std::vector<Region> regions_from_json(const Json& list) {
  std::vector<Region> regions;
  for (const Json& item : list) {
    Region region{item.at("name").get<std::string>(), 0};
    for (const Json& tissue : item.at("tissues")) region.tissues |= 1u << tissue.get<unsigned>();
    regions.push_back(region);
  }
  return regions;
}

// Everything in the file but its checksum.
Json body(const Cohort& cohort) {
  Json cases = Json::array(), refused = Json::array();
  for (const CaseInfo& info : cohort.cases) cases.push_back(to_json(info, cohort.modalities));
  for (const RefusedCase& item : cohort.refused) {
    refused.push_back({{"id", item.id}, {"reason", item.reason}});
  }
  Json available = Json::object();
  for (const auto& [split, masks] : cohort.split_available) {
    for (const auto& [id, mask] : masks) available[split][id] = cohort.modalities.format(mask);
  }
  Json json = {{"format", kCohortFormat},
               {"version", kVersion},
               {"profile", cohort.profile},
               {"modalities", cohort.modalities.names()},
               {"regions", regions_to_json(cohort.regions)},
               {"cases", cases},
               {"splits", cohort.splits},
               {"splits_checksum", hash_hex(std::string_view(Json(cohort.splits).dump()))},
               {"departed", cohort.departed},
               {"listed", cohort.listed},
               {"split_available", available},
               {"deal", {{"folds", cohort.deal.folds}, {"seed", cohort.deal.seed}}},
               {"fingerprint", cohort.fingerprint},
               {"refused", refused}};
  if (cohort.grid) json["grid"] = to_json(*cohort.grid);
  return json;
}

// The header checksum of a case covers its statistics, geometry, sources and voxels.
std::string fingerprint(const Cohort& cohort) {
  Json parts = {cohort.profile, cohort.modalities.names()};
  for (const CaseInfo& info : cohort.cases) parts.push_back({info.id, info.checksum});
  return hash_hex(std::string_view(parts.dump()));
}

Json parse(const std::filesystem::path& path) {
  const auto bytes = posix_file_system().read(path);
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  Json json = parse_json_line({text, bytes.size()});
  if (!json.is_object() || json.value("format", Json()) != kCohortFormat) {
    throw_error<DataError>(
        "{}: not the description of a cohort, or damaged. Run lacuna ingest again: cases that are "
        "already there are kept.",
        path.string());
  }
  const Json version = json.value("version", Json());
  if (!version.is_number_integer() || version < kOldestVersion || version > kVersion) {
    throw_error<DataError>(
        "{}: cache format version {}, this program reads versions {} to {}. Run lacuna ingest into "
        "a new directory.",
        path.string(), version.dump(), kOldestVersion, kVersion);
  }
  return json;
}

void check_splits(const Cohort& cohort, const std::string& path) {
  std::set<std::string> known;
  for (const CaseInfo& info : cohort.cases) known.insert(info.id);
  for (const auto& [split, parts] : cohort.splits) {
    for (const auto& [part, ids] : parts) {
      for (const std::string& id : ids) {
        if (known.count(id) == 0) {
          throw_error<DataError>(
              "{}: split {}, part {} names case {}, which the cohort does not have. Run lacuna "
              "ingest again with a corrected --splits file.",
              path, split, part, id);
        }
      }
    }
  }
}

template <typename Map>
std::vector<std::string> keys(const Map& map) {
  std::vector<std::string> names;
  for (const auto& [name, value] : map) names.push_back(name);
  return names;
}

}  // namespace

int Cohort::index_of(const std::string& id) const {
  const auto found = std::lower_bound(
      cases.begin(), cases.end(), id,
      [](const CaseInfo& info, const std::string& wanted) { return info.id < wanted; });
  return found == cases.end() || found->id != id ? -1 : static_cast<int>(found - cases.begin());
}

bool Cohort::has_part(const std::string& split, const std::string& part) const {
  const auto parts = splits.find(split);
  if (parts == splits.end()) return false;
  const auto ids = parts->second.find(part);
  return ids != parts->second.end() && !ids->second.empty();
}

Json to_json(const Grid& grid) {
  return {{"orientation", grid.orientation}, {"spacing_mm", grid.spacing_mm}};
}

Grid grid_from_json(const Json& json) {
  return {json.at("orientation").get<std::string>(),
          json.at("spacing_mm").get<std::array<double, 3>>()};
}

std::vector<int> Cohort::part(const std::string& split, const std::string& part) const {
  const std::string where = (directory / kFileName).string();
  const auto parts = splits.find(split);
  if (parts == splits.end()) {
    const std::string near = nearest(split, keys(splits));
    throw_error<ConfigError>("{}: no split \"{}\"; known: {}{}", where, split,
                             fmt::join(keys(splits), ", "),
                             near.empty() ? "" : fmt::format(". Did you mean {}?", near));
  }
  const auto ids = parts->second.find(part);
  if (ids == parts->second.end()) {
    throw_error<ConfigError>("{}: split {} has no part \"{}\"; it has: {}", where, split, part,
                             fmt::join(keys(parts->second), ", "));
  }
  std::vector<int> indices;
  for (const std::string& id : ids->second) {
    indices.push_back(index_of(id));
    if (indices.back() < 0) {
      throw_error<ConfigError>("{}: split {}, part {} names the unknown case {}", where, split,
                               part, id);
    }
  }
  return indices;
}

Cohort open_cohort(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / kFileName;
  if (!std::filesystem::exists(path)) {
    throw_error<DataError>(
        "{}: no cohort.json here, so this is not a cache. Make one with: lacuna ingest --in "
        "NIFTI_DIRECTORY --out {}",
        directory.string(), directory.string());
  }
  Json json = parse(path);
  Cohort cohort;
  cohort.directory = directory;
  try {
    const std::string checksum = json.at("checksum");
    json.erase("checksum");
    if (checksum != hash_hex(std::string_view(json.dump()))) {
      throw_error<DataError>(
          "{}: changed after it was written (its checksum does not fit). Run lacuna ingest again; "
          "own splits go in with --splits.",
          path.string());
    }
    json.at("profile").get_to(cohort.profile);
    cohort.modalities = ModalitySet(json.at("modalities").get<std::vector<std::string>>());
    cohort.regions = regions_from_json(json.at("regions"));
    for (const Json& item : json.at("cases")) {
      cohort.cases.push_back(case_from_json(item, cohort.modalities));
    }
    json.at("splits").get_to(cohort.splits);
    json.at("version").get_to(cohort.version);
    cohort.departed = json.value("departed", Splits());
    cohort.listed = json.value("listed", std::set<std::string>());
    if (json.contains("deal")) {
      cohort.deal = {json["deal"].at("folds"), json["deal"].at("seed")};
    }
    const Json available = json.value("split_available", Json::object());
    for (const auto& [split, masks] : available.items()) {
      for (const auto& [id, mask] : masks.items()) {
        cohort.split_available[split][id] = cohort.modalities.parse(mask.get<std::string>());
      }
    }
    if (cohort.version < 2) {  // then generated splits were known by their names alone
      for (const auto& [name, parts] : cohort.splits) {
        if (name != "all" && !name.starts_with("fold")) cohort.listed.insert(name);
      }
    }
    json.at("fingerprint").get_to(cohort.fingerprint);
    for (const Json& item : json.at("refused")) {
      cohort.refused.push_back({item.at("id"), item.at("reason")});
    }
    if (json.contains("grid")) cohort.grid = grid_from_json(json.at("grid"));
  } catch (const Json::exception& error) {
    throw_error<DataError>("{}: damaged: {}. Run lacuna ingest again.", path.string(),
                           error.what());
  }
  check_splits(cohort, path.string());
  return cohort;
}

bool write_cohort(FileSystem& files, Cohort& cohort) {
  const std::filesystem::path path = cohort.directory / kFileName;
  cohort.fingerprint = fingerprint(cohort);
  check_splits(cohort, path.string());
  Json json = body(cohort);
  json["checksum"] = hash_hex(std::string_view(json.dump()));
  const std::string text = json.dump(1) + "\n";
  if (files.exists(path)) {
    const auto bytes = files.read(path);
    const std::string_view old(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (old == text) return false;
  }
  write_durably(files, path, text);
  return true;
}

}  // namespace lacuna::data
