#include "data/phantom/phantom.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/process/parallel.h"
#include "base/text/options.h"
#include "base/text/parse_json.h"
#include "data/cohorts/profile.h"
#include "data/nifti/nifti.h"
#include "data/nifti/orientation.h"
#include "data/phantom/phantom_case.h"
#include "data/phantom/phantom_space.h"
#include "data/types/axis_order.h"

namespace lacuna::data {
namespace {

constexpr int kLevel = 1;  // of compression: larger files, but made four times faster

// Institutions of very different size, as in the real cohorts; any three cases see three of them.
constexpr std::array<int, 8> kInstitutionOf{0, 1, 2, 0, 3, 0, 1, 0};

struct TraitName {
  const char* name;
  bool PhantomTraits::*flag;
};
constexpr std::array<TraitName, 4> kTraits{{{"negative", &PhantomTraits::negative},
                                            {"float-labels", &PhantomTraits::float_labels},
                                            {"full-masks", &PhantomTraits::full_masks},
                                            {"mixed-axes", &PhantomTraits::mixed_axes}}};

struct PlannedCase {
  CaseName name;
  Profile::MadeCase made;  // names of its files
  PhantomCaseOptions options;
  SubsetMask available = 0;
};

std::string institution_name(const Profile& profile, int institution) {
  static const std::vector<std::string> kNames = {"CBICA", "TCIA01", "TMC", "WashU"};
  const auto& table = profile.writing.table;
  if (table && table->row.find("{institution_number}") != std::string::npos) {
    return std::to_string(institution + 1);
  }
  const auto& names = profile.writing.institutions.empty() ? kNames : profile.writing.institutions;
  return names[static_cast<std::size_t>(institution) % names.size()];
}

SubsetMask draw_available(const PhantomOptions& options, int number, int modalities) {
  Stream stream(options.seed, Purpose::kPhantom, static_cast<std::uint64_t>(number),
                static_cast<std::uint32_t>(PhantomField::kMissing));
  SubsetMask available = 0;
  for (int m = 0; m < modalities; ++m) {
    if (!stream.chance(options.missing)) available |= SubsetMask{1} << m;
  }
  const auto kept = stream.below(static_cast<std::uint64_t>(modalities));
  return available != 0 ? available : SubsetMask{1} << kept;
}

std::vector<PlannedCase> plan(const PhantomOptions& options, const Profile& profile) {
  std::vector<PlannedCase> cases;
  for (int number = 0; number < options.cases; ++number) {
    PlannedCase planned;
    // A patient is scanned again where the profile has visits.
    const int patient = number / std::max(1, static_cast<int>(profile.writing.visits.size()));
    const int institution =
        kInstitutionOf[static_cast<std::size_t>(patient) % kInstitutionOf.size()];
    planned.options = {options.extent, options.seed,     number,
                       institution,    patient % 4 == 3, profile.value(Tissue::kResection) != 0};
    planned.made = profile.make_case(number, institution_name(profile, institution),
                                     planned.options.low_grade ? "LGG" : "HGG");
    planned.name = planned.made.name;
    planned.available =
        draw_available(options, number, static_cast<int>(profile.modalities.size()));
    cases.push_back(planned);
  }
  return cases;
}

// The position that BraTS files have.
NiftiHeader make_header(const PhantomOptions& options) {
  NiftiHeader header;
  header.size = to_file_order(options.extent);
  header.voxel_mm = to_file_order(options.spacing_mm);
  const auto [x, y, z] = header.voxel_mm;
  const double back = static_cast<double>(header.size[1] - 1) * y;
  header.qform_code = header.sform_code = 1;
  header.sform = {{{-x, 0, 0, 0}, {0, -y, 0, back}, {0, 0, z, 0}}};
  header.quaternion = {0, 0, 1};  // half a turn about z
  header.offset_mm = {0, back, 0};
  header.description = "Lacuna phantom: not a patient";
  return header;
}

// MetaImage: a header of text, then the voxels with the first axis fastest, as in NIfTI.
template <typename T>
void write_metaimage(FileSystem& files, const Path& path, const NiftiHeader& grid,
                     std::span<const T> volume) {
  // World axes of the format point to left, posterior, superior.
  const Affine affine = grid.affine();
  std::string directions;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    for (std::size_t row = 0; row < 3; ++row) {
      const double sign = row < 2 ? -1 : 1;
      directions += fmt::format(" {:g}", sign * affine[row][axis] / grid.voxel_mm[axis] + 0.0);
    }
  }
  const std::string header = fmt::format(
      "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
      "CompressedData = False\nTransformMatrix ={}\nOffset = {:g} {:g} {:g}\n"
      "ElementSpacing = {:g} {:g} {:g}\nDimSize = {} {} {}\nElementType = {}\n"
      "ElementDataFile = LOCAL\n",
      directions, -affine[0][3] + 0.0, -affine[1][3] + 0.0, affine[2][3], grid.voxel_mm[0],
      grid.voxel_mm[1], grid.voxel_mm[2], grid.size[0], grid.size[1], grid.size[2],
      sizeof(T) == 1 ? "MET_UCHAR" : (sizeof(T) == 2 ? "MET_SHORT" : "MET_DOUBLE"));
  std::vector<std::byte> bytes(header.size() + volume.size_bytes());
  std::memcpy(bytes.data(), header.data(), header.size());
  std::vector<T> turned(volume.size());
  const auto [depth, rows, columns] = grid.extent();
  transpose_slices(volume.data(), depth, rows, columns, turned.data(), [](T v) { return v; });
  std::memcpy(bytes.data() + header.size(), turned.data(), volume.size_bytes());
  write_durably(files, path, bytes);
}

template <typename T>
void write_volume(FileSystem& files, const Path& path, const NiftiHeader& grid,
                  std::span<const T> volume) {
  files.make_directories(path.parent_path());
  if (path.extension() == ".mha") {
    write_metaimage<T>(files, path, grid, volume);
  } else {
    write_nifti<T>(files, path, grid, volume, kLevel);
  }
}

// A volume with the header that says where it lies, turned to other axes where the traits ask.
template <typename T>
struct PlacedVolume {
  NiftiHeader header;
  std::vector<T> values;

  PlacedVolume(const NiftiHeader& grid, std::vector<T> volume, bool other_axes)
      : header(grid), values(std::move(volume)) {
    if (!other_axes) return;
    const AxisTurn turn = axis_turn("LPS", "RAS");
    values = turned(std::move(values), grid.size, turn);
    header.size = turned(grid.size, turn);
    header.voxel_mm = turned(grid.voxel_mm, turn);
    header.qform_code = 0;  // says half a turn, as the others lie
    const Affine affine = turned(grid.affine(), grid.size, turn);
    std::copy_n(affine.begin(), header.sform.size(), header.sform.begin());
  }
};

// Interpolation overshoots where the brain ends.
void add_negative_rim(std::vector<std::int16_t>& image, const Extent& extent) {
  const std::int64_t row = extent[2], slice = extent[1] * extent[2];
  std::vector<std::size_t> rim;
  for (std::int64_t i = slice; i < std::ssize(image) - slice; ++i) {
    const auto at = [&](std::int64_t other) { return image[static_cast<std::size_t>(other)]; };
    if (at(i) > 0 && i % 2 == 0 &&
        (at(i - 1) == 0 || at(i + 1) == 0 || at(i - row) == 0 || at(i + row) == 0)) {
      rim.push_back(static_cast<std::size_t>(i));
    }
  }
  for (const std::size_t i : rim) {
    image[i] = static_cast<std::int16_t>(std::min(-1, -image[i] / 20));
  }
}

void write_label(FileSystem& files, const Path& path, const NiftiHeader& grid,
                 std::vector<std::uint8_t> values, bool other_axes, bool as_floats) {
  const PlacedVolume<std::uint8_t> placed(grid, std::move(values), other_axes);
  if (!as_floats) {
    write_volume<std::uint8_t>(files, path, placed.header, placed.values);
    return;
  }
  std::vector<double> reals(placed.values.size());
  std::transform(placed.values.begin(), placed.values.end(), reals.begin(),
                 [](std::uint8_t value) { return value == 0 ? 0 : value - 4e-5; });
  write_volume<double>(files, path, placed.header, reals);
}

void write_case(FileSystem& files, const Path& directory, const Profile& profile,
                const PhantomOptions& options, const PlannedCase& planned) {
  const PhantomCase made = make_phantom_case(planned.options);
  const NiftiHeader header = make_header(options);
  const PhantomTraits& traits = options.traits;
  const auto number = static_cast<std::size_t>(planned.options.number);
  // The phantom has the four usual modalities; a profile may know fewer of them.
  static const std::vector<std::string> kPainted = {"FLAIR", "T1", "T1c", "T2"};
  std::vector<std::vector<std::int16_t>> channels;
  for (std::size_t m = 0; m < profile.modalities.size(); ++m) {
    const auto painted = std::find(kPainted.begin(), kPainted.end(), profile.modalities[m]);
    std::vector<std::int16_t> image =
        made.images[painted == kPainted.end()
                        ? m % kPainted.size()
                        : static_cast<std::size_t>(painted - kPainted.begin())];
    if (traits.negative) add_negative_rim(image, options.extent);
    if (profile.images[m].front().channel >= 0) {
      channels.push_back(std::move(image));
    } else if (contains(planned.available, static_cast<int>(m))) {
      const PlacedVolume<std::int16_t> placed(header, std::move(image),
                                              traits.mixed_axes && (number + m) % 2 == 1);
      write_volume<std::int16_t>(files, directory / planned.made.images[m], placed.header,
                                 placed.values);
    }
  }
  const bool other_axes = traits.mixed_axes && number % 2 == 1;
  if (!channels.empty()) {  // all modalities in one file
    const Path path = directory / planned.made.images[0];
    files.make_directories(path.parent_path());
    std::vector<PlacedVolume<std::int16_t>> placed;
    std::vector<std::span<const std::int16_t>> views;
    for (auto& image : channels) placed.emplace_back(header, std::move(image), other_axes);
    for (const auto& each : placed) views.emplace_back(each.values);
    write_nifti_channels<std::int16_t>(files, path, placed[0].header, views, kLevel);
  }
  std::vector<std::uint8_t> values(made.label.size());
  std::transform(made.label.begin(), made.label.end(), values.begin(), [&](std::uint8_t tissue) {
    const auto value = profile.value(static_cast<Tissue>(tissue));
    return tissue != 0 && value == 0 ? profile.value(Tissue::kTumour) : value;
  });
  if (traits.full_masks && number % 4 == 1) {
    std::fill(values.begin(), values.end(), profile.labels.front().value);
  }
  write_label(files, directory / planned.made.label, header, std::move(values), other_axes,
              traits.float_labels);
}

void check(const PhantomOptions& options) {
  if (options.cases < 1 || options.cases > 9999) {
    throw_error<ConfigError>("phantom: {} cases, allowed: 1 to 9999", options.cases);
  }
  for (const std::int64_t extent : options.extent) {
    if (extent < 16 || extent > 1024) {
      throw_error<ConfigError>("phantom: a size of {} voxels, allowed: 16 to 1024 along each axis",
                               extent);
    }
  }
  for (const double side : options.spacing_mm) {
    if (!(side >= 0.1 && side <= 100)) {
      throw_error<ConfigError>("phantom: voxels of {} mm, allowed: 0.1 to 100 along each axis",
                               side);
    }
  }
  if (!(options.missing >= 0 && options.missing < 1)) {
    throw_error<ConfigError>("phantom: missing is {}, allowed: 0 up to (not including) 1",
                             options.missing);
  }
}

// True when the directory already holds the whole cohort.
bool is_complete(FileSystem& files, const Path& directory, const Json& wanted) {
  const Path marker = directory / "phantom.json";
  if (!files.exists(marker)) {
    if (!files.exists(directory) || files.list(directory).empty()) return false;
    throw_error<ConfigError>(
        "{}: not empty, and not a phantom cohort. Choose another directory for --out.",
        directory.string());
  }
  Json found = read_json(marker);
  const bool complete = field_or(found, "complete", false);
  found.erase("complete");
  if (found != wanted) {
    throw_error<ConfigError>(
        "{}: holds a phantom cohort of other options ({}). Choose another directory for --out, or "
        "remove this one.",
        directory.string(), found.dump());
  }
  return complete;
}

}  // namespace

PhantomTraits parse_phantom_traits(const std::vector<std::string>& names) {
  PhantomTraits traits;
  for (const std::string& name : names) {
    const auto trait = std::find_if(kTraits.begin(), kTraits.end(),
                                    [&](const TraitName& each) { return name == each.name; });
    if (trait == kTraits.end()) {
      std::vector<std::string> known;
      for (const TraitName& each : kTraits) known.emplace_back(each.name);
      const std::string near = nearest(name, known);
      throw_error<ConfigError>("phantom: unknown trait \"{}\"; known: {}{}", name,
                               fmt::join(known, ", "),
                               near.empty() ? "" : ". Did you mean " + near + "?");
    }
    traits.*trait->flag = true;
  }
  return traits;
}

PhantomReport write_phantom(FileSystem& files, const Path& directory, const PhantomOptions& options,
                            Progress& progress) {
  check(options);
  const Profile& profile = find_profile(options.profile);
  const std::vector<PlannedCase> cases = plan(options, profile);
  PhantomReport report;
  report.cases = options.cases;
  std::vector<CaseName> names;
  for (const PlannedCase& planned : cases) {
    names.push_back(planned.name);
    report.image_files += count(planned.available);
    report.left_out += static_cast<int>(profile.modalities.size()) - count(planned.available);
  }
  Json marker = {{"cases", options.cases},
                 {"size", options.extent},
                 {"profile", options.profile},
                 {"seed", options.seed},
                 {"missing", options.missing}};
  // Left out where nothing is asked for: cohorts of before say nothing of them.
  if (options.spacing_mm != PhantomOptions().spacing_mm) marker["spacing_mm"] = options.spacing_mm;
  for (const TraitName& trait : kTraits) {
    if (options.traits.*trait.flag) marker["traits"].push_back(trait.name);
  }
  report.was_complete = is_complete(files, directory, marker);
  if (report.was_complete) return report;
  const auto write_marker = [&](bool complete) {
    marker["complete"] = complete;
    write_durably(files, directory / "phantom.json", marker.dump(2) + "\n");
  };
  files.make_directories(directory);
  write_marker(false);
  if (const auto table = profile.make_table(names)) {
    write_durably(files, directory / table->file, table->text);
  }
  if (const auto& text = profile.writing.text) {
    files.make_directories((directory / text->file).parent_path());
    write_durably(files, directory / text->file, text->header + "\n");
  }
  parallel_for(options.threads, options.cases, [&](std::int64_t i) {
    write_case(files, directory, profile, options, cases[static_cast<std::size_t>(i)]);
    progress.advance();
  });
  write_marker(true);
  return report;
}

}  // namespace lacuna::data
