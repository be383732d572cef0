#include "data/ingest/ingest_case.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <optional>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/files/hash.h"
#include "data/cache/case_writer.h"
#include "data/ingest/intensity_statistics.h"
#include "data/nifti/nifti.h"

namespace lacuna::data {
namespace {

// Files of one case were registered to one grid; converters round positions differently in the
// last digits. A tenth of a millimetre is far below a voxel and far above rounding.
constexpr double kPositionTolerance = 0.1;  // mm

std::int64_t modified_ns(const Path& path) {
  const auto time = std::filesystem::last_write_time(path).time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

// Opens the files of a case one after the other and checks that all lie on one grid.
class CaseReader {
 public:
  NiftiFile open(const Path& path, int channel = -1) {
    const auto bytes = posix_file_system().read(path);
    sources.push_back({path.filename().string(), bytes.size(), modified_ns(path), hash_hex(bytes)});
    NiftiFile file(path, bytes, channel);
    if (grid) {
      check_grid(file.header(), path);
    } else {
      grid = file.header();
      first = path;
    }
    return file;
  }

  std::optional<NiftiHeader> grid;
  Path first;
  std::vector<SourceFile> sources;

 private:
  void check_grid(const NiftiHeader& header, const Path& path) const {
    if (header.size != grid->size) {
      throw_error<DataError>(
          "{}: {} voxels, but {} has {}. All files of a case must lie on one grid: register and "
          "resample them, or leave the case out.",
          path.string(), fmt::join(header.size, " x "), first.filename().string(),
          fmt::join(grid->size, " x "));
    }
    // The affine of a grid is known by where it puts the corners.
    double worst = 0;
    const Affine a = header.affine(), b = grid->affine();
    for (int corner = 0; corner < 8; ++corner) {
      for (std::size_t row = 0; row < 3; ++row) {
        double distance = a[row][3] - b[row][3];
        for (std::size_t axis = 0; axis < 3; ++axis) {
          const auto last = static_cast<double>(header.size[axis] - 1);
          if ((corner >> axis & 1) != 0) distance += (a[row][axis] - b[row][axis]) * last;
        }
        worst = std::max(worst, std::abs(distance));
      }
    }
    if (worst > kPositionTolerance) {
      throw_error<DataError>(
          "{}: lies elsewhere than {}: their affines put a corner {:.1f} mm apart. Register the "
          "files to one grid, or leave the case out.",
          path.string(), first.filename().string(), worst);
    }
  }
};

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

Volume read_volume(const NiftiFile& file, const Path& path, IntensityStatistics& statistics,
                   Box& box) {
  Volume volume;
  const Extent extent = file.header().extent();
  if (file.fits<std::int16_t>()) {
    volume.integers = file.read<std::int16_t>();
    statistics = intensity_statistics(volume.integers);
    grow_box(volume.integers, extent, volume.integers[0], box);
  } else {
    volume.reals = file.read<float>();
    require_finite(volume.reals, extent, path);
    statistics = intensity_statistics(volume.reals);
    grow_box(volume.reals, extent, volume.reals[0], box);
  }
  if (statistics.minimum == statistics.maximum) {
    throw_error<DataError>("{}: every voxel is {}. Copy the file again, or leave the case out.",
                           path.string(), statistics.minimum);
  }
  return volume;
}

std::vector<std::uint8_t> read_tissues(const NiftiFile& file, const Path& path,
                                       const Profile& profile) {
  std::vector<std::uint8_t> label = file.read<std::uint8_t>();
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
  return label;
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

// In the order of CaseHeader::sources.
std::vector<Path> source_paths(const SourceCase& source) {
  std::vector<Path> paths = source.images;
  paths.push_back(source.label);
  return paths;
}

}  // namespace

CaseBytes ingest_case(const SourceCase& source, const Profile& profile, const CaseRules& rules) {
  if (!source.problem.empty()) throw DataError(source.problem);
  check_complete(source, profile, rules.allow_missing);
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

  CaseReader reader;
  std::vector<Volume> volumes(profile.modalities.size());
  constexpr std::int64_t kFar = std::int64_t{1} << 40;
  Box box{{kFar, kFar, kFar}, {0, 0, 0}};
  for (std::size_t m = 0; m < volumes.size(); ++m) {
    if (source.images[m].empty()) {
      reader.sources.emplace_back();
      continue;
    }
    const NiftiFile file = reader.open(source.images[m], source.channel(m));
    volumes[m] = read_volume(file, source.images[m], header.statistics[m], box);
    info.available |= SubsetMask{1} << m;
  }
  const Extent extent = reader.grid->extent();
  std::vector<std::uint8_t> label;
  if (source.label.empty()) {
    reader.sources.emplace_back();
  } else {
    label = read_tissues(reader.open(source.label), source.label, profile);
    grow_box(label, extent, std::uint8_t{0}, box);
  }
  header.sources = std::move(reader.sources);
  info.full_extent = extent;
  info.box_offset = box.begin;
  info.box_extent = box.extent();
  info.spacing_mm = reader.grid->spacing_mm();
  info.affine = reader.grid->affine();
  result.bytes = encode_case(header, crop(volumes, label, extent, box));
  return result;
}

bool is_up_to_date(const CaseHeader& header, const SourceCase& source, const Profile& profile,
                   const CaseRules& rules) {
  const CaseInfo& info = header.info;
  const std::vector<Path> paths = source_paths(source);
  if (!source.problem.empty() || info.id != source.name.id ||
      info.institution != source.name.institution || info.grade != source.name.grade ||
      header.profile != profile.name || header.codec != rules.codec ||
      header.sources.size() != paths.size()) {
    return false;
  }
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const SourceFile& known = header.sources[i];
    if (known.name != paths[i].filename().string()) return false;
    if (paths[i].empty()) {
      if (!rules.allow_missing && i + 1 < paths.size()) return false;
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
