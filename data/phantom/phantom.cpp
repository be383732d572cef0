#include "data/phantom/phantom.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.h"
#include "base/process/parallel.h"
#include "base/text/parse_json.h"
#include "data/cohorts/profile.h"
#include "data/nifti/nifti.h"
#include "data/phantom/phantom_case.h"
#include "data/phantom/phantom_space.h"
#include "data/types/axis_order.h"

namespace lacuna::data {
namespace {

constexpr int kLevel = 1;  // of compression: larger files, but made four times faster

// Institutions of very different size, as in the real cohorts; any three cases see three of them.
constexpr std::array<int, 8> kInstitutionOf{0, 1, 2, 0, 3, 0, 1, 0};

struct PlannedCase {
  CaseName name;
  PhantomCaseOptions options;
  SubsetMask available = 0;
};

std::string institution_name(const Profile& profile, int institution) {
  static const char* const kNames[] = {"CBICA", "TCIA01", "TMC", "WashU"};
  return profile.origin == Profile::Origin::kPartitioning ? std::to_string(institution + 1)
                                                          : kNames[institution];
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
    const int institution =
        kInstitutionOf[static_cast<std::size_t>(number) % kInstitutionOf.size()];
    planned.options = {options.extent, options.seed,    number,
                       institution,    number % 4 == 3, profile.value(Tissue::kResection) != 0};
    planned.name.institution = institution_name(profile, institution);
    planned.name.grade = planned.options.low_grade ? "LGG" : "HGG";
    planned.name.id = profile.make_id(number, planned.name.institution);
    planned.available =
        draw_available(options, number, static_cast<int>(profile.modalities.size()));
    cases.push_back(planned);
  }
  return cases;
}

// 1 mm voxels and the position that BraTS files have.
NiftiHeader make_header(const Extent& extent) {
  NiftiHeader header;
  header.size = to_file_order(extent);
  const double back = static_cast<double>(header.size[1] - 1);
  header.qform_code = header.sform_code = 1;
  header.sform = {{{-1, 0, 0, 0}, {0, -1, 0, back}, {0, 0, 1, 0}}};
  header.quaternion = {0, 0, 1};  // half a turn about z
  header.offset_mm = {0, back, 0};
  header.description = "Lacuna phantom: not a patient";
  return header;
}

void write_case(FileSystem& files, const Path& directory, const Profile& profile,
                const PlannedCase& planned) {
  const PhantomCase made = make_phantom_case(planned.options);
  const Path folder = directory / profile.case_directory(planned.name);
  files.make_directories(folder);
  const NiftiHeader header = make_header(planned.options.extent);
  for (std::size_t m = 0; m < made.images.size(); ++m) {
    if (!contains(planned.available, static_cast<int>(m))) continue;
    write_nifti<std::int16_t>(files,
                              folder / profile.image_file(planned.name.id, static_cast<int>(m)),
                              header, made.images[m], kLevel);
  }
  std::vector<std::uint8_t> values(made.label.size());
  std::transform(made.label.begin(), made.label.end(), values.begin(),
                 [&](std::uint8_t tissue) { return profile.value(static_cast<Tissue>(tissue)); });
  write_nifti<std::uint8_t>(files, folder / profile.segmentation_file(planned.name.id), header,
                            values, kLevel);
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
  parallel_for(options.threads, options.cases, [&](std::int64_t i) {
    write_case(files, directory, profile, cases[static_cast<std::size_t>(i)]);
    progress.advance();
  });
  write_marker(true);
  return report;
}

}  // namespace lacuna::data
