#include <map>
#include <set>
#include <thread>

#include "app/inspect/inspect.h"
#include "base/error.h"
#include "base/process/parallel.h"
#include "data/cache/case_file.h"
#include "data/cohorts/splits.h"
#include "data/ingest/intensity_statistics.h"
#include "data/nifti/nifti.h"

namespace lacuna::app {
namespace {

Json to_json(const data::IntensityStatistics& s) {
  return {{"minimum", s.minimum},           {"maximum", s.maximum},
          {"background", s.background},     {"mean", s.mean},
          {"deviation", s.deviation},       {"cap", s.cap},
          {"percentile_1", s.percentile_1}, {"percentile_99", s.percentile_99}};
}

// Messages of the cases that cannot be read from end to end.
std::vector<std::string> damaged_cases(const data::Cohort& cohort) {
  std::vector<std::string> problems(cohort.cases.size());
  const int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  parallel_for(threads, static_cast<std::int64_t>(cohort.cases.size()), [&](std::int64_t i) {
    const auto c = static_cast<std::size_t>(i);
    try {
      data::CaseFile(cohort, cohort.cases[c]).verify();
    } catch (const DataError& error) {
      problems[c] = error.what();
    }
  });
  std::erase(problems, "");
  return problems;
}

}  // namespace

Json inspect_cache(const std::filesystem::path& path, bool verify) {
  const data::Cohort cohort = data::open_cohort(path);
  std::map<std::string, int> institutions, grades, available;
  std::uint64_t bytes = 0;
  int labelled = 0;
  std::set<data::Extent> extents;
  std::map<std::string, int> patients;  // visits of each
  Json problems = Json::array();
  for (const data::CaseInfo& info : cohort.cases) {
    ++institutions[info.institution.empty() ? "unknown" : info.institution];
    ++grades[info.grade.empty() ? "unknown" : info.grade];
    ++available[cohort.modalities.format(info.available)];
    bytes += info.bytes;
    labelled += info.has_label;
    extents.insert(info.full_extent);
    ++patients[info.patient];
    const auto file = path / info.file;
    if (!std::filesystem::exists(file)) {
      problems.push_back(file.string() + ": is missing. Run lacuna ingest again.");
    } else if (std::filesystem::file_size(file) != info.bytes) {
      problems.push_back(file.string() +
                         ": has another size than cohort.json says. Delete it and "
                         "run lacuna ingest again.");
    }
  }
  if (verify && problems.empty()) problems = damaged_cases(cohort);
  Json notes = Json::array();
  if (cohort.version < 2) {
    notes.push_back(
        "format version 1: each case counts as a patient of its own, and folds may have been dealt "
        "so. Run lacuna ingest again, with the same --in and --out, to tell patients.");
  }
  if (labelled == 0 && !cohort.cases.empty()) {
    notes.push_back("no case has a label: nothing to train or evaluate on");
  }
  // How many patients came how often: {"1": 12, "3": 2}.
  Json visits = Json::object();
  for (const auto& [patient, count] : patients) {
    Json& number = visits[std::to_string(count)];
    number = number.is_null() ? 1 : number.get<int>() + 1;
  }
  for (const auto& [name, parts] : cohort.splits) {
    const auto torn = data::split_patients(parts, cohort.cases);
    if (torn.empty()) continue;
    notes.push_back(fmt::format(
        "split {}: {} patients have cases in more than one part, for example {}: its test numbers "
        "are too good. Deal the folds anew: lacuna ingest --redeal, or correct the list.",
        name, torn.size(), torn[0].patient));
  }
  Json splits = Json::object(), refused = Json::array(), regions = Json::array();
  for (const auto& [name, parts] : cohort.splits) {
    for (const auto& [part, ids] : parts) splits[name][part] = ids.size();
  }
  for (const auto& item : cohort.refused) {
    refused.push_back({{"id", item.id}, {"reason", item.reason}});
  }
  for (const auto& region : cohort.regions) regions.push_back(region.name);
  return {{"kind", "cache"},
          {"profile", cohort.profile},
          {"modalities", cohort.modalities.names()},
          {"regions", regions},
          {"format_version", cohort.version},
          {"cases", cohort.cases.size()},
          {"patients", patients.size()},
          {"patients_by_visits", visits},
          {"labelled", labelled},
          {"bytes", bytes},
          {"extents", extents},
          {"institutions", institutions},
          {"grades", grades},
          {"available", available},
          {"splits", splits},
          {"fingerprint", cohort.fingerprint},
          {"refused", refused},
          {"verified", verify},
          {"notes", notes},
          {"problems", problems}};
}

Json inspect_case(const std::filesystem::path& path) {
  const data::CaseFile file(path);
  const data::CaseHeader& header = file.header();
  const data::CaseInfo& info = header.info;
  Json problems = Json::array(), statistics = Json::object(), voxels = Json::object();
  try {
    file.verify();
  } catch (const DataError& error) {
    problems.push_back(error.what());
  }
  for (std::size_t m = 0; m < header.modalities.size(); ++m) {
    if (!data::contains(info.available, static_cast<int>(m))) continue;
    statistics[header.modalities[m]] = to_json(header.statistics[m]);
  }
  for (std::size_t r = 0; info.has_label && r < header.regions.size(); ++r) {
    voxels[header.regions[r].name] = file.foreground(static_cast<int>(r)).size();
  }
  Json sources = Json::array();
  for (const auto& source : header.sources) {
    if (!source.name.empty()) {
      sources.push_back(
          {{"name", source.name}, {"bytes", source.bytes}, {"xxh3", source.checksum}});
    }
  }
  return {{"kind", "case"},
          {"id", info.id},
          {"profile", header.profile},
          {"institution", info.institution},
          {"grade", info.grade},
          {"available", data::ModalitySet(header.modalities).format(info.available)},
          {"full_extent", info.full_extent},
          {"box_offset", info.box_offset},
          {"box_extent", info.box_extent},
          {"spacing_mm", info.spacing_mm},
          {"affine", info.affine},
          {"labelled", info.has_label},
          {"region_voxels", voxels},
          {"codec", header.codec},
          {"element", header.element},
          {"statistics", statistics},
          {"sources", sources},
          {"checksum", info.checksum},
          {"bytes", info.bytes},
          {"problems", problems}};
}

Json inspect_nifti(const std::filesystem::path& path) {
  const data::NiftiFile file(path);
  const data::NiftiHeader& header = file.header();
  const std::vector<float> values = file.read<float>();
  Json problems = Json::array(), statistics;
  try {
    data::require_finite(values, header.extent(), path);
    statistics = to_json(data::intensity_statistics(values));
  } catch (const DataError& error) {
    problems.push_back(error.what());
  }
  // Few distinct small whole numbers: the file is probably a segmentation.
  Json labels = Json::object();
  if (file.fits<std::uint8_t>()) {
    std::map<int, std::int64_t> counts;
    for (const std::uint8_t value : file.read<std::uint8_t>()) ++counts[value];
    constexpr std::size_t kMostLabels = 16;
    if (counts.size() <= kMostLabels) {
      for (const auto& [value, count] : counts) labels[std::to_string(value)] = count;
    }
  }
  return {{"kind", "nifti"},
          {"version", header.version},
          {"type", data::name_of(header.type)},
          {"big_endian", header.big_endian},
          {"size_ijk", header.size},
          {"voxel_mm_ijk", header.voxel_mm},
          {"extent_dhw", header.extent()},
          {"slope", header.slope},
          {"intercept", header.intercept},
          {"qform_code", header.qform_code},
          {"sform_code", header.sform_code},
          {"affine", header.affine()},
          {"description", header.description},
          {"statistics", statistics},
          {"voxels_per_value", labels},
          {"problems", problems}};
}

}  // namespace lacuna::app
