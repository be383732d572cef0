#include "data/cache/case_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <optional>

#include "base/files/mapped_file.h"
#include "data/cache/case_layout.h"
#include "data/cache/h5_open.h"
#include "data/cache/stored_volume.h"
#include "data/cache/voxel_convert.h"

namespace lacuna::data {

struct CaseFile::Content {
  Content(const std::filesystem::path& path, const Cohort* cohort, const CaseInfo* expected);

  std::string path;
  MappedFile mapping;
  CaseHeader header;
  std::optional<StoredVolume> image, label;
  std::vector<StoredVolume> foreground, label_maps;
  std::once_flag trimmed;
};

namespace {

// Brain-box part of a request that lies in the full volume at `corner`.
struct Overlap {
  Box inside;       // in voxels of the brain box
  Extent shift{};   // brain-box voxel -> voxel of the request
  bool all = true;  // the request lies wholly inside the brain box
};

Overlap overlap(const CaseInfo& info, const Extent& corner, const Extent& extent) {
  Overlap result;
  Box request;
  for (std::size_t a = 0; a < 3; ++a) {
    request.begin[a] = corner[a] - info.box_offset[a];
    request.end[a] = request.begin[a] + extent[a];
    result.shift[a] = -request.begin[a];
  }
  result.inside = request.intersect({{0, 0, 0}, info.box_extent});
  result.all = result.inside.begin == request.begin && result.inside.end == request.end;
  return result;
}

std::int64_t position(const Extent& place, const Extent& shift, const Extent& extent) {
  return ((place[0] + shift[0]) * extent[1] + place[1] + shift[1]) * extent[2] + place[2] +
         shift[2];
}

}  // namespace

CaseFile::Content::Content(const std::filesystem::path& file_path, const Cohort* cohort,
                           const CaseInfo* expected)
    : path(file_path.string()), mapping(file_path) {
  if (expected != nullptr && mapping.bytes().size() != expected->bytes) {
    throw_error<DataError>(
        "{}: has {} bytes where cohort.json says {}: truncated or replaced. Delete it and run "
        "lacuna ingest again.",
        path, mapping.bytes().size(), expected->bytes);
  }
  const H5Quiet quiet;
  const H5Handle file = h5_open_for_reading(path);
  header = read_header(file, path);
  if (expected != nullptr && header.info.checksum != expected->checksum) {
    throw_error<DataError>(
        "{}: is not the file that cohort.json describes (header checksum {}, expected {}). Run "
        "lacuna ingest again.",
        path, header.info.checksum, expected->checksum);
  }
  header.info.bytes = mapping.bytes().size();
  if (expected != nullptr) {
    header.info.file = expected->file;
    // A split may leave a case fewer modalities than it has.
    header.info.available &= expected->available;
  }
  const std::vector<Region>& regions = cohort != nullptr ? cohort->regions : header.regions;

  image.emplace(file, "image", mapping.bytes(), path);
  bool fits = image->modalities() == static_cast<std::int64_t>(header.modalities.size()) &&
              image->extent() == header.info.box_extent && image->element_bytes() == 2;
  if (header.info.has_label) {
    label.emplace(file, "label", mapping.bytes(), path);
    for (const Region& region : regions) {
      foreground.emplace_back(file, "foreground/" + region.name, mapping.bytes(), path);
    }
  }
  for (const StoredLabelMap& map : header.label_maps) {
    label_maps.emplace_back(file, "extras/" + map.name, mapping.bytes(), path);
    const StoredVolume& stored = label_maps.back();
    fits = fits && stored.extent() == header.info.box_extent && stored.element_bytes() == 1 &&
           stored.modalities() == image->modalities();
  }
  if (!fits || (label && (label->extent() != header.info.box_extent ||
                          label->element_bytes() != 1 || label->modalities() != 1))) {
    throw_error<DataError>("{}: image and label do not fit the header. Run lacuna ingest again.",
                           path);
  }
}

CaseFile::CaseFile(const Cohort& cohort, const CaseInfo& info)
    : content_(std::make_unique<Content>(cohort.directory / info.file, &cohort, &info)) {}
CaseFile::CaseFile(const std::filesystem::path& path)
    : content_(std::make_unique<Content>(path, nullptr, nullptr)) {}
CaseFile::~CaseFile() = default;
CaseFile::CaseFile(CaseFile&&) noexcept = default;

const CaseInfo& CaseFile::info() const { return content_->header.info; }
const CaseHeader& CaseFile::header() const { return content_->header; }

const IntensityStatistics& CaseFile::statistics(int modality) const {
  return content_->header.statistics.at(static_cast<std::size_t>(modality));
}

const IntensityStatistics& CaseFile::trimmed_statistics(int modality) const {
  if (content_->header.version == 1) {
    std::call_once(content_->trimmed, [this] {
      for (std::size_t m = 0; m < content_->header.statistics.size(); ++m) {
        trim(static_cast<int>(m), content_->header.statistics[m]);
      }
    });
  }
  return statistics(modality);
}

// As data/ingest/intensity_statistics.h defines them; all voxels that count lie in the brain box.
void CaseFile::trim(int modality, IntensityStatistics& statistics) const {
  const auto low = static_cast<float>(statistics.percentile_1),
             high = static_cast<float>(statistics.percentile_99),
             background = static_cast<float>(statistics.background);
  std::vector<float> values;
  const auto visit = [&](const auto& use) {
    for_each_stored_row(modality, info().box_offset, info().box_extent, [&](const StoredRow& row) {
      values.resize(static_cast<std::size_t>(row.count));
      row.halves != nullptr
          ? widen_half(row.halves, row.scale, row.offset, values.data(), values.size())
          : widen(row.integers, values.data(), values.size());
      for (const float value : values) {
        if (value > low && value < high && value != background) use(double{value});
      }
    });
  };
  std::int64_t count = 0;
  double sum = 0, squares = 0;
  visit([&](double value) {
    sum += value;
    ++count;
  });
  if (count == 0) {
    statistics.trimmed_mean = statistics.mean;
    statistics.trimmed_deviation = statistics.deviation;
    return;
  }
  const double mean = sum / static_cast<double>(count);
  visit([&](double value) { squares += (value - mean) * (value - mean); });
  statistics.trimmed_mean = mean;
  statistics.trimmed_deviation = squares > 0 ? std::sqrt(squares / static_cast<double>(count)) : 1;
}

bool CaseFile::lost() const { return content_->mapping.lost(); }

void CaseFile::require_there() const {
  if (!lost()) return;
  throw_error<DataError>(
      "{}: became shorter or unreadable while it was in use. Check its disk or server; if it was "
      "replaced, start again.",
      content_->path);
}

void CaseFile::for_each_stored_row(int modality, const Extent& corner, const Extent& extent,
                                   const std::function<void(const StoredRow&)>& use) const {
  if (!contains(info().available, modality)) return;
  const CaseHeader& header = content_->header;
  const auto m = static_cast<std::size_t>(modality);
  const bool half = header.element == "float16";
  const Overlap at = overlap(info(), corner, extent);
  StoredRow row;
  row.scale = static_cast<float>(header.scale[m]);
  row.offset = static_cast<float>(header.offset[m]);
  content_->image->for_each_row(
      modality, at.inside, [&](const std::byte* from, const Extent& place, std::int64_t count) {
        for (std::size_t a = 0; a < 3; ++a) row.place[a] = place[a] + at.shift[a];
        row.count = count;
        row.integers = half ? nullptr : reinterpret_cast<const std::int16_t*>(from);
        row.halves = half ? reinterpret_cast<const std::uint16_t*>(from) : nullptr;
        use(row);
      });
  require_there();
}

void CaseFile::read_image(int modality, const Extent& corner, const Extent& extent,
                          float* out) const {
  const bool present = contains(info().available, modality);
  if (!present || !overlap(info(), corner, extent).all) {
    std::fill_n(out, voxels(extent), static_cast<float>(statistics(modality).background));
  }
  for_each_stored_row(modality, corner, extent, [&](const StoredRow& row) {
    float* to = out + position(row.place, {0, 0, 0}, extent);
    const auto count = static_cast<std::size_t>(row.count);
    if (row.halves != nullptr) {
      widen_half(row.halves, row.scale, row.offset, to, count);
    } else {
      widen(row.integers, to, count);
    }
  });
}

void CaseFile::read_label(const Extent& corner, const Extent& extent, std::uint8_t* out) const {
  if (!content_->label) {
    throw_error<DataError>("{}: the case has no label. Leave it out of this split.",
                           content_->path);
  }
  const Overlap at = overlap(info(), corner, extent);
  if (!at.all) std::fill_n(out, voxels(extent), std::uint8_t{0});
  content_->label->for_each_row(
      0, at.inside, [&](const std::byte* from, const Extent& place, std::int64_t count) {
        std::memcpy(out + position(place, at.shift, extent), from, static_cast<std::size_t>(count));
      });
  require_there();
}

void CaseFile::read_label_map(const std::string& name, int modality, const Extent& corner,
                              const Extent& extent, std::uint8_t* out) const {
  const auto& maps = content_->header.label_maps;
  const auto found =
      std::find_if(maps.begin(), maps.end(), [&](const auto& map) { return map.name == name; });
  if (found == maps.end()) throw_error<Error>("{}: no label map {}", content_->path, name);
  const Overlap at = overlap(info(), corner, extent);
  if (!at.all) std::fill_n(out, voxels(extent), std::uint8_t{0});
  content_->label_maps[static_cast<std::size_t>(found - maps.begin())].for_each_row(
      modality, at.inside, [&](const std::byte* from, const Extent& place, std::int64_t count) {
        std::memcpy(out + position(place, at.shift, extent), from, static_cast<std::size_t>(count));
      });
}

std::span<const std::uint32_t> CaseFile::foreground(int region) const {
  if (content_->foreground.empty()) return {};
  const auto bytes = content_->foreground.at(static_cast<std::size_t>(region)).contiguous();
  return {reinterpret_cast<const std::uint32_t*>(bytes.data()),
          bytes.size() / sizeof(std::uint32_t)};
}

void CaseFile::verify() const {
  require_there();
  const CaseHeader& header = content_->header;
  const auto check = [&](const StoredVolume& volume, const std::string& name) {
    const auto stored = header.checksums.find(name);
    if (stored == header.checksums.end() || stored->second != volume.checksum()) {
      throw_error<DataError>(
          "{}: data set {} is damaged (its checksum does not fit). Delete the file and run lacuna "
          "ingest again: it makes only what is missing.",
          content_->path, name);
    }
  };
  check(*content_->image, "image");
  for (std::size_t i = 0; i < content_->label_maps.size(); ++i) {
    check(content_->label_maps[i], "extras/" + header.label_maps[i].name);
  }
  if (!content_->label) return;
  check(*content_->label, "label");
  for (std::size_t r = 0; r < content_->foreground.size(); ++r) {
    check(content_->foreground[r], "foreground/" + header.regions.at(r).name);
  }
}

}  // namespace lacuna::data
