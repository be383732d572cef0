#include "data/ingest/ingest_case.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/files/hash.h"
#include "data/cache/case_writer.h"
#include "data/ingest/case_reader.h"
#include "data/ingest/intensity_statistics.h"
#include "data/nifti/regrid.h"
#include "data/types/axis_order.h"
#include "data/types/recipe.h"

namespace lacuna::data {
namespace {

// Grows `box` by the voxels that differ from `background`.
template <typename T>
void grow_box(const std::vector<T>& volume, const Extent& extent, T background, Box& box) {
  const T* row = volume.data();
  const std::vector<T> empty(static_cast<std::size_t>(extent[2]), background);
  const std::size_t row_bytes = empty.size() * sizeof(T);
  for (std::int64_t d = 0; d < extent[0]; ++d) {
    for (std::int64_t h = 0; h < extent[1]; ++h, row += extent[2]) {
      if (std::memcmp(row, empty.data(), row_bytes) == 0) continue;
      const T* end = row + extent[2];
      const auto differs = [=](T value) { return value != background; };
      const T* first = std::find_if(row, end, differs);
      if (first == end) continue;
      const T* last = end;
      while (!differs(*(last - 1))) --last;
      box.begin = {std::min(box.begin[0], d), std::min(box.begin[1], h),
                   std::min<std::int64_t>(box.begin[2], first - row)};
      box.end = {std::max(box.end[0], d + 1), std::max(box.end[1], h + 1),
                 std::max<std::int64_t>(box.end[2], last - row)};
    }
  }
}

// Appends the voxels of `box`.
template <typename In, typename Out>
void append_box(const std::vector<In>& volume, const Extent& extent, const Box& box,
                std::vector<Out>& out) {
  for (std::int64_t d = box.begin[0]; d < box.end[0]; ++d) {
    for (std::int64_t h = box.begin[1]; h < box.end[1]; ++h) {
      const In* row = volume.data() + (d * extent[1] + h) * extent[2];
      out.insert(out.end(), row + box.begin[2], row + box.end[2]);
    }
  }
}

// One modality: whole numbers where the file holds nothing else, which is the rule.
struct Volume {
  std::vector<std::int16_t> integers;
  std::vector<float> reals;
};

// A scan with its skull has noise where a stripped one has a single value.
void note_background(const Volume& volume, const Path& path, double background,
                     std::vector<Remark>& remarks) {
  const auto share = [&](const auto& values) {
    using Value = typename std::decay_t<decltype(values)>::value_type;
    const auto same = std::count(values.begin(), values.end(), static_cast<Value>(background));
    return static_cast<double>(same) / static_cast<double>(values.size());
  };
  const double found = volume.integers.empty() ? share(volume.reals) : share(volume.integers);
  if (found >= 0.1) return;
  remarks.push_back(
      {Remark::Kind::kBackground,
       fmt::format(
           "{}: only {:.1f} % of its voxels have the value {} of the first one, which "
           "counts as background. Normalisation and brain box expect a skull-stripped image",
           path.string(), 100 * found, background)});
}

void note_cap(const IntensityStatistics& statistics, const Path& path,
              std::vector<Remark>& remarks) {
  constexpr double kFewBins = 32;  // of the histogram, which has one for each unit of intensity
  if (statistics.cap >= statistics.median || statistics.maximum >= kFewBins) return;
  remarks.push_back(
      {Remark::Kind::kCap,
       fmt::format(
           "{}: intensities on so small a scale ({:.4g} to {:.4g}) that the published capped "
           "normalisation would clip half of them and more; methods that use it clip at "
           "{:.4g} instead, or refuse the case with method_options.official",
           path.string(), statistics.minimum, statistics.maximum, statistics.cap_edge)});
}

Volume read_volume(const PlacedFile& placed, const Path& path, IntensityStatistics& statistics,
                   Box& box, std::vector<Remark>& remarks) {
  Volume volume;
  const Extent& extent = placed.extent;
  if (placed.file.fits<std::int16_t>() && !placed.resampled()) {
    volume.integers = placed.read<std::int16_t>();
    statistics = intensity_statistics(volume.integers);
    grow_box(volume.integers, extent, volume.integers[0], box);
  } else {
    volume.reals = placed.file.read<float>();
    require_finite(volume.reals, placed.file.header().extent(), path);
    volume.reals = turned(std::move(volume.reals), placed.file.header().size, placed.turn);
    if (placed.resampled()) volume.reals = regrid(volume.reals, placed.turned_extent, extent);
    statistics = intensity_statistics(volume.reals);
    grow_box(volume.reals, extent, volume.reals[0], box);
  }
  if (statistics.minimum == statistics.maximum) {
    throw_error<DataError>("{}: every voxel is {}. Copy the file again, or leave the case out.",
                           path.string(), statistics.minimum);
  }
  note_background(volume, path, statistics.background, remarks);
  note_cap(statistics, path, remarks);
  return volume;
}

std::vector<std::uint8_t> resampled(const PlacedFile& placed, std::vector<std::uint8_t> labels) {
  if (!placed.resampled()) return labels;
  return regrid_label(labels, placed.turned_extent, placed.extent);
}

std::vector<std::uint8_t> read_tissues(const PlacedFile& placed, const Path& path,
                                       const Profile& profile, std::vector<Remark>& remarks) {
  std::vector<std::uint8_t> label = placed.read<std::uint8_t>();
  std::array<std::uint8_t, 256> tissues{};
  std::array<bool, 256> known{};
  for (int value = 0; value < 256; ++value) {
    const auto tissue = profile.tissue(static_cast<std::uint8_t>(value));
    known[static_cast<std::size_t>(value)] = tissue.has_value();
    tissues[static_cast<std::size_t>(value)] =
        static_cast<std::uint8_t>(tissue.value_or(Tissue::kBackground));
  }
  std::array<bool, 256> seen{};
  for (std::uint8_t& value : label) {
    seen[value] = true;
    value = tissues[value];
  }
  std::vector<int> strange, there, allowed{0};
  for (std::size_t value = 0; value < 256; ++value) {
    if (seen[value] && value > 0) there.push_back(static_cast<int>(value));
    if (seen[value] && !known[value]) strange.push_back(static_cast<int>(value));
    if (value > 0 && known[value]) allowed.push_back(static_cast<int>(value));
  }
  if (!strange.empty()) {
    throw LabelError(
        fmt::format(
            "{}: label values {} do not belong to profile {} (allowed: {}). Check the file, "
            "or choose another --profile.",
            path.string(), fmt::join(strange, ", "), profile.name, fmt::join(allowed, ", ")),
        there);
  }
  if (std::find(label.begin(), label.end(), std::uint8_t{0}) == label.end()) {
    remarks.push_back(
        {Remark::Kind::kFullLabel,
         fmt::format("{}: no voxel of it is background. A mask that is the same everywhere is no "
                     "segmentation: check the file",
                     path.string())});
  }
  return resampled(placed, std::move(label));
}

void check_complete(const SourceCase& source, const Profile& profile, bool allow_missing) {
  std::vector<std::string> missing;
  for (std::size_t m = 0; m < source.images.size(); ++m) {
    if (source.images[m].empty()) {
      missing.push_back(fmt::format("{} ({})", profile.modalities[m],
                                    profile.image_file(source.name.id, static_cast<int>(m))));
    }
  }
  if (missing.empty()) return;
  if (missing.size() == source.images.size()) {
    throw_error<DataError>(
        "{}: none of the files of profile {} is there, for example {}. Check --profile and the "
        "file names.",
        source.directory.string(), profile.name, profile.image_file(source.name.id, 0));
  }
  if (!allow_missing) {
    throw_error<DataError>(
        "{}: no file for {}. Add it, or keep such cases with --allow-missing: they are never given "
        "a modality that they lack.",
        source.directory.string(), fmt::join(missing, ", "));
  }
}

// Every modality takes part, so that `image` keeps its shape; an absent one stays zero.
CaseVoxels crop(std::vector<Volume>& volumes, const std::vector<std::uint8_t>& label,
                const Extent& extent, const Box& box) {
  CaseVoxels result;
  const bool real = std::any_of(volumes.begin(), volumes.end(),
                                [](const Volume& volume) { return !volume.reals.empty(); });
  const auto count = static_cast<std::size_t>(voxels(box.extent()));
  if (real) {
    result.reals.reserve(volumes.size() * count);
  } else {
    result.integers.reserve(volumes.size() * count);
  }
  for (std::size_t m = 0; m < volumes.size(); ++m) {
    Volume& volume = volumes[m];
    if (real) {
      if (!volume.integers.empty()) append_box(volume.integers, extent, box, result.reals);
      if (!volume.reals.empty()) append_box(volume.reals, extent, box, result.reals);
      result.reals.resize((m + 1) * count);
    } else {
      if (!volume.integers.empty()) append_box(volume.integers, extent, box, result.integers);
      result.integers.resize((m + 1) * count);
    }
    volume = {};  // the memory of a whole volume
  }
  if (!label.empty()) {
    result.label.reserve(count);
    append_box(label, extent, box, result.label);
  }
  return result;
}

// One label map of every modality, cropped to the box; 0 where the modality has none.
std::vector<std::uint8_t> read_label_map(const LabelMapSource& source, const Extent& extent,
                                         const Box& box, CaseReader& reader,
                                         StoredLabelMap& stored) {
  const auto count = static_cast<std::size_t>(voxels(box.extent()));
  std::vector<std::uint8_t> result;
  result.reserve(source.files.size() * count);
  for (std::size_t m = 0; m < source.files.size(); ++m) {
    const Path& path = source.files[m];
    if (path.empty()) {
      reader.sources.emplace_back();
    } else {
      const PlacedFile placed = reader.open(path);
      const auto map = resampled(placed, placed.read<std::uint8_t>());
      append_box(map, extent, box, result);
      const int largest = *std::max_element(map.begin(), map.end());
      if (largest >= kNoLabelMap) {
        throw_error<DataError>("{}: a label map of {} with the value {}: at most {} are allowed.",
                               path.string(), source.name, largest, kNoLabelMap - 1);
      }
      stored.classes = std::max(stored.classes, largest + 1);
    }
    result.resize((m + 1) * count);
  }
  return result;
}

// In the order of CaseHeader::sources.
std::vector<Path> source_paths(const SourceCase& source) {
  std::vector<Path> paths = source.images;
  paths.push_back(source.label);
  for (const LabelMapSource& map : source.label_maps) {
    paths.insert(paths.end(), map.files.begin(), map.files.end());
  }
  return paths;
}

// Whether the axes and voxels of a case that is there are those that the rules ask for.
bool is_on_grid(const CaseHeader& header, const CaseRules& rules) {
  if (!rules.grid) return true;
  // "" of version 2: the files did not say. Version 1 kept the axes of the files.
  const std::string there =
      header.version == 1 ? axis_codes(header.info.affine) : header.orientation;
  if (!rules.grid->orientation.empty() && !there.empty() && there != rules.grid->orientation) {
    return false;
  }
  for (std::size_t a = 0; a < 3; ++a) {
    const double wanted = rules.grid->spacing_mm[a];
    if (std::abs(header.info.spacing_mm[a] - wanted) > kSpacingTolerance * wanted) return false;
  }
  return true;
}

// From the axes of a file to those of the case that was made from it.
AxisTurn turn_of(const CaseHeader& made, const NiftiHeader& file) {
  if (made.orientation.empty() || !file.has_position()) return {};
  return axis_turn(axis_codes(file.affine()), made.orientation);
}

}  // namespace

CaseBytes ingest_case(const SourceCase& source, const Profile& profile, const CaseRules& rules) {
  if (!source.problem.empty()) throw DataError(source.problem);
  check_complete(source, profile, rules.allow_missing);
  for (const LabelMapSource& map : source.label_maps) {
    if (!map.problem.empty()) throw LabelMapError(map.problem);
  }
  CaseBytes result;
  CaseHeader& header = result.header;
  CaseInfo& info = header.info;
  info.id = source.name.id;
  info.institution = source.name.institution;
  info.grade = source.name.grade;
  header.profile = profile.name;
  header.modalities = profile.modalities;
  header.regions = profile.regions;
  header.codec = rules.codec;
  header.statistics.resize(profile.modalities.size());

  CaseReader reader(rules);
  std::vector<Volume> volumes(profile.modalities.size());
  constexpr std::int64_t kFar = std::int64_t{1} << 40;
  Box box{{kFar, kFar, kFar}, {0, 0, 0}};
  for (std::size_t m = 0; m < volumes.size(); ++m) {
    if (source.images[m].empty()) {
      reader.sources.emplace_back();
      continue;
    }
    const PlacedFile placed = reader.open(source.images[m], source.channel(m));
    volumes[m] = read_volume(placed, source.images[m], header.statistics[m], box, reader.remarks);
    info.available |= SubsetMask{1} << m;
  }
  const Extent extent = to_depth_first(reader.size());
  std::vector<std::uint8_t> label;
  if (source.label.empty()) {
    reader.sources.emplace_back();
  } else {
    const PlacedFile placed = reader.open(source.label);
    label = read_tissues(placed, source.label, profile, reader.remarks);
    grow_box(label, extent, std::uint8_t{0}, box);
  }
  info.full_extent = extent;
  info.box_offset = box.begin;
  info.box_extent = box.extent();
  info.spacing_mm = to_depth_first(reader.voxel_mm());
  info.affine = reader.affine();
  header.orientation = reader.orientation();
  CaseVoxels kept = crop(volumes, label, extent, box);
  for (const LabelMapSource& map : source.label_maps) {
    header.label_maps.push_back({map.name, 0});
    info.label_maps.push_back(map.name);
    try {
      kept.label_maps.push_back(read_label_map(map, extent, box, reader, header.label_maps.back()));
    } catch (const DataError& error) {
      throw LabelMapError(error.what());
    }
  }
  header.sources = std::move(reader.sources);
  result.bytes = encode_case(header, kept);
  result.remarks = std::move(reader.remarks);
  return result;
}

std::vector<std::uint8_t> on_file_grid(std::vector<std::uint8_t> labels, const CaseHeader& made,
                                       const NiftiHeader& file) {
  const AxisTurn turn = turn_of(made, file);
  const auto size = turned(file.size, turn);
  const Extent extent = to_depth_first(size);
  if (extent != made.info.full_extent) {
    labels = regrid_label(labels, made.info.full_extent, extent);
  }
  return turned(std::move(labels), size, turn.inverse());
}

std::vector<float> on_file_grid(std::vector<float> map, const CaseHeader& made,
                                const NiftiHeader& file) {
  const AxisTurn turn = turn_of(made, file);
  const auto size = turned(file.size, turn);
  map = regrid(map, made.info.full_extent, to_depth_first(size));
  return turned(std::move(map), size, turn.inverse());
}

bool is_up_to_date(const CaseHeader& header, const SourceCase& source, const Profile& profile,
                   const CaseRules& rules) {
  const CaseInfo& info = header.info;
  const std::vector<Path> paths = source_paths(source);
  const bool damaged_map = std::any_of(source.label_maps.begin(), source.label_maps.end(),
                                       [](const auto& map) { return !map.problem.empty(); });
  if (damaged_map || !source.problem.empty() || info.id != source.name.id ||
      info.institution != source.name.institution || info.grade != source.name.grade ||
      header.profile != profile.name || header.codec != rules.codec ||
      header.sources.size() != paths.size() || !is_on_grid(header, rules) ||
      !std::equal(header.label_maps.begin(), header.label_maps.end(), source.label_maps.begin(),
                  source.label_maps.end(),
                  [](const auto& there, const auto& here) { return there.name == here.name; })) {
    return false;
  }
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const SourceFile& known = header.sources[i];
    if (known.name != paths[i].filename().string()) return false;
    if (paths[i].empty()) {
      if (!rules.allow_missing && i < source.images.size()) return false;
      continue;
    }
    if (known.bytes != std::filesystem::file_size(paths[i])) return false;
    if (known.modified_ns != modified_ns(paths[i]) && known.checksum != hash_file_hex(paths[i])) {
      return false;
    }
  }
  return true;
}

}  // namespace lacuna::data
