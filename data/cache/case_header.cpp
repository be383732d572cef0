#include "data/cache/case_header.h"

#include "base/files/hash.h"
#include "data/cache/h5_attribute.h"
#include "data/cache/h5_open.h"

namespace lacuna::data {
namespace {

constexpr const char* kCaseFormat = "lacuna-case";

// The columns of attribute `statistics`. On disk: do not reorder.
struct Column {
  const char* name;
  double IntensityStatistics::*value;
};
constexpr Column kColumns[] = {{"minimum", &IntensityStatistics::minimum},
                               {"maximum", &IntensityStatistics::maximum},
                               {"background", &IntensityStatistics::background},
                               {"mean", &IntensityStatistics::mean},
                               {"deviation", &IntensityStatistics::deviation},
                               {"cap", &IntensityStatistics::cap},
                               {"capped_mean", &IntensityStatistics::capped_mean},
                               {"capped_deviation", &IntensityStatistics::capped_deviation},
                               {"percentile_1", &IntensityStatistics::percentile_1},
                               {"percentile_99", &IntensityStatistics::percentile_99},
                               {"trimmed_mean", &IntensityStatistics::trimmed_mean},
                               {"trimmed_deviation", &IntensityStatistics::trimmed_deviation},
                               {"median", &IntensityStatistics::median},
                               {"cap_edge", &IntensityStatistics::cap_edge},
                               {"edge_mean", &IntensityStatistics::edge_mean},
                               {"edge_deviation", &IntensityStatistics::edge_deviation}};

std::span<const Column> columns(int version) {
  return std::span(kColumns).first(version == 1 ? 10 : std::size(kColumns));
}

IntensityStatistics from_row(int version, const double* row) {
  IntensityStatistics statistics;
  for (const Column& column : columns(version)) statistics.*column.value = *row++;
  return statistics;
}

std::vector<double> statistics_table(const CaseHeader& header) {
  std::vector<double> table;
  for (const IntensityStatistics& statistics : header.statistics) {
    for (const Column& column : columns(header.version)) {
      table.push_back(statistics.*column.value);
    }
  }
  return table;
}

std::vector<double> flatten(const std::array<std::array<double, 4>, 4>& affine) {
  std::vector<double> values;
  for (const auto& row : affine) values.insert(values.end(), row.begin(), row.end());
  return values;
}

// Reads an attribute of exactly `count` values.
template <typename T>
std::vector<T> expect_count(std::vector<T> values, std::size_t count, const std::string& name,
                            const std::string& path) {
  if (values.size() != count) {
    throw_error<DataError>("{}: attribute {} has {} values, expected {}. Run lacuna ingest again.",
                           path, name, values.size(), count);
  }
  return values;
}

Extent read_extent(hid_t file, const std::string& name, const std::string& path) {
  const auto values = expect_count(read_integers(file, name, path), 3, name, path);
  return {values[0], values[1], values[2]};
}

}  // namespace

std::string CaseHeader::checksum() const {
  Json all;
  all["id"] = info.id;
  all["institution"] = info.institution;
  all["grade"] = info.grade;
  all["available"] = info.available;
  all["full_extent"] = info.full_extent;
  all["box_offset"] = info.box_offset;
  all["box_extent"] = info.box_extent;
  all["spacing_mm"] = info.spacing_mm;
  all["affine"] = info.affine;
  all["has_label"] = info.has_label;
  all["profile"] = profile;
  all["modalities"] = modalities;
  for (const Region& region : regions) all["regions"].push_back({region.name, region.tissues});
  all["statistics"] = statistics_table(*this);
  for (const SourceFile& source : sources) all["sources"].push_back(source.checksum);
  if (!orientation.empty()) all["orientation"] = orientation;
  for (const StoredLabelMap& map : label_maps) {
    all["label_maps"].push_back({map.name, map.classes});
  }
  all["element"] = element;
  all["scale"] = scale;
  all["offset"] = offset;
  all["checksums"] = checksums;
  return hash_hex(std::string_view(all.dump()));
}

void write_header(hid_t file, const CaseHeader& header) {
  const CaseInfo& info = header.info;
  write_attribute(file, "format", std::string(kCaseFormat));
  write_attribute(file, "format_version", header.version);
  write_attribute(file, "checksum", header.checksum());
  write_attribute(file, "id", info.id);
  write_attribute(file, "institution", info.institution);
  write_attribute(file, "grade", info.grade);
  write_attribute(file, "available", std::int64_t{info.available});
  write_attribute(file, "full_extent", std::span<const std::int64_t>(info.full_extent));
  write_attribute(file, "box_offset", std::span<const std::int64_t>(info.box_offset));
  write_attribute(file, "box_extent", std::span<const std::int64_t>(info.box_extent));
  write_attribute(file, "spacing_mm", std::span<const double>(info.spacing_mm));
  write_attribute(file, "affine", flatten(info.affine), {4, 4});
  write_attribute(file, "profile", header.profile);
  write_attribute(file, "modalities", header.modalities);
  std::vector<std::string> names;
  std::vector<std::int64_t> tissues;
  for (const Region& region : header.regions) {
    names.push_back(region.name);
    tissues.push_back(region.tissues);
  }
  write_attribute(file, "region_names", names);
  write_attribute(file, "region_tissues", tissues);
  if (!header.orientation.empty()) write_attribute(file, "orientation", header.orientation);
  if (!header.label_maps.empty()) {
    std::vector<std::int64_t> classes;
    names.clear();
    for (const StoredLabelMap& map : header.label_maps) {
      names.push_back(map.name);
      classes.push_back(map.classes);
    }
    write_attribute(file, "label_map_names", names);
    write_attribute(file, "label_map_classes", classes);
  }
  const std::span<const Column> kept = columns(header.version);
  names.clear();
  for (const Column& column : kept) names.emplace_back(column.name);
  write_attribute(file, "statistics", statistics_table(header),
                  {header.modalities.size(), kept.size()});
  write_attribute(file, "statistics_names", names);
  write_attribute(file, "codec", header.codec);
  write_attribute(file, "element", header.element);
  write_attribute(file, "scale", header.scale);
  write_attribute(file, "offset", header.offset);
  std::vector<std::string> files, sums;
  std::vector<std::int64_t> bytes, times;
  for (const SourceFile& source : header.sources) {
    files.push_back(source.name);
    sums.push_back(source.checksum);
    bytes.push_back(static_cast<std::int64_t>(source.bytes));
    times.push_back(source.modified_ns);
  }
  write_attribute(file, "source_files", files);
  write_attribute(file, "source_checksums", sums);
  write_attribute(file, "source_bytes", bytes);
  write_attribute(file, "source_modified_ns", times);
  names.clear();
  sums.clear();
  for (const auto& [name, sum] : header.checksums) {
    names.push_back(name);
    sums.push_back(sum);
  }
  write_attribute(file, "data_sets", names);
  write_attribute(file, "data_checksums", sums);
}

CaseHeader read_header(hid_t file, const std::string& path) {
  if (H5Aexists(file, "format") <= 0 || read_text(file, "format", path) != kCaseFormat) {
    throw_error<DataError>("{}: an HDF5 file, but not a case of a Lacuna cache.", path);
  }
  const std::int64_t version = read_integer(file, "format_version", path);
  if (version < 1 || version > kCaseFormatVersion) {
    throw_error<DataError>(
        "{}: cache format version {}, this program reads versions 1 to {}. Run lacuna ingest into "
        "a new directory.",
        path, version, kCaseFormatVersion);
  }
  CaseHeader header;
  header.version = static_cast<int>(version);
  CaseInfo& info = header.info;
  info.id = read_text(file, "id", path);
  info.institution = read_text(file, "institution", path);
  info.grade = read_text(file, "grade", path);
  info.available = static_cast<SubsetMask>(read_integer(file, "available", path));
  info.full_extent = read_extent(file, "full_extent", path);
  info.box_offset = read_extent(file, "box_offset", path);
  info.box_extent = read_extent(file, "box_extent", path);
  const auto spacing = expect_count(read_numbers(file, "spacing_mm", path), 3, "spacing_mm", path);
  std::copy(spacing.begin(), spacing.end(), info.spacing_mm.begin());
  const auto affine = expect_count(read_numbers(file, "affine", path), 16, "affine", path);
  for (std::size_t i = 0; i < 16; ++i) info.affine[i / 4][i % 4] = affine[i];
  header.profile = read_text(file, "profile", path);
  header.modalities = read_texts(file, "modalities", path);
  const std::size_t modalities = header.modalities.size();
  const auto names = read_texts(file, "region_names", path);
  const auto tissues = expect_count(read_integers(file, "region_tissues", path), names.size(),
                                    "region_tissues", path);
  for (std::size_t r = 0; r < names.size(); ++r) {
    header.regions.push_back({names[r], static_cast<std::uint32_t>(tissues[r])});
  }
  const std::size_t kept = columns(header.version).size();
  const auto table =
      expect_count(read_numbers(file, "statistics", path), modalities * kept, "statistics", path);
  for (std::size_t m = 0; m < modalities; ++m) {
    header.statistics.push_back(from_row(header.version, &table[m * kept]));
  }
  if (H5Aexists(file, "orientation") > 0) {
    header.orientation = read_text(file, "orientation", path);
  }
  if (H5Aexists(file, "label_map_names") > 0) {
    const auto maps = read_texts(file, "label_map_names", path);
    const auto classes = expect_count(read_integers(file, "label_map_classes", path), maps.size(),
                                      "label_map_classes", path);
    for (std::size_t i = 0; i < maps.size(); ++i) {
      header.label_maps.push_back({maps[i], static_cast<int>(classes[i])});
      info.label_maps.push_back(maps[i]);
    }
  }
  header.codec = read_text(file, "codec", path);
  header.element = read_text(file, "element", path);
  header.scale = expect_count(read_numbers(file, "scale", path), modalities, "scale", path);
  header.offset = expect_count(read_numbers(file, "offset", path), modalities, "offset", path);
  const auto files = read_texts(file, "source_files", path);
  const auto sums = expect_count(read_texts(file, "source_checksums", path), files.size(),
                                 "source_checksums", path);
  const auto bytes =
      expect_count(read_integers(file, "source_bytes", path), files.size(), "source_bytes", path);
  const auto times = expect_count(read_integers(file, "source_modified_ns", path), files.size(),
                                  "source_modified_ns", path);
  for (std::size_t i = 0; i < files.size(); ++i) {
    header.sources.push_back({files[i], static_cast<std::uint64_t>(bytes[i]), times[i], sums[i]});
  }
  const auto sets = read_texts(file, "data_sets", path);
  const auto set_sums =
      expect_count(read_texts(file, "data_checksums", path), sets.size(), "data_checksums", path);
  for (std::size_t i = 0; i < sets.size(); ++i) header.checksums[sets[i]] = set_sums[i];
  info.has_label = header.checksums.count("label") > 0;
  info.checksum = header.checksum();
  if (info.checksum != read_text(file, "checksum", path)) {
    throw_error<DataError>(
        "{}: the header is damaged (its checksum does not fit). Delete the file and run lacuna "
        "ingest again: it makes only what is missing.",
        path);
  }
  return header;
}

CaseHeader read_header(const std::filesystem::path& path) {
  const H5Quiet quiet;
  const std::string name = path.string();
  const H5Handle file = h5_open_for_reading(name);
  return read_header(file, name);
}

}  // namespace lacuna::data
