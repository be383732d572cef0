// lacuna view: a picture of a case of a cache, with the masks of methods beside the truth.
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "app/shared/command.h"
#include "base/files/file_system.h"
#include "base/text/options.h"
#include "data/cache/case_file.h"
#include "data/cache/cohort.h"
#include "data/cohorts/profile_file.h"
#include "data/nifti/nifti.h"
#include "data/nifti/orientation.h"
#include "monitoring/report/case_picture.h"

namespace lacuna::app {
namespace {

namespace fs = std::filesystem;

struct ViewArguments {
  std::string case_path, out, profile;
  std::vector<std::string> masks;  // NAME=FILE, FILE or DIRECTORY
};

// CACHE/ID, CACHE/cases/ID.h5, or the file itself.
fs::path case_file(const std::string& given) {
  const fs::path path = given;
  if (fs::is_regular_file(path)) return path;
  const fs::path cache = path.parent_path();
  const fs::path file = cache / "cases" / (path.filename().string() + ".h5");
  if (fs::exists(file)) return file;
  if (fs::exists(cache / "cohort.json")) {
    const data::Cohort cohort = data::open_cohort(cache);
    std::vector<std::string> ids;
    for (const data::CaseInfo& info : cohort.cases) ids.push_back(info.id);
    const std::string near = nearest(path.filename().string(), ids);
    throw_error<ConfigError>("{}: the cohort has no case {}{}", cache.string(),
                             path.filename().string(),
                             near.empty() ? "" : fmt::format("; did you mean {}?", near));
  }
  throw_error<ConfigError>(
      "{}: no case. Name a case file (.h5), or a cache and an id: cache/BraTS2021_00000", given);
}

// Tissue values of a mask on the axes of the case.
std::vector<std::uint8_t> read_mask(const fs::path& path, const data::CaseFile& file,
                                    const data::Profile& profile) {
  const data::NiftiFile nifti(path);
  std::vector<std::uint8_t> labels = nifti.read<std::uint8_t>();
  const data::NiftiHeader& header = nifti.header();
  std::array<std::int64_t, 3> size = header.size;
  const std::string& axes = file.header().orientation;
  if (!axes.empty() && header.has_position()) {
    const data::AxisTurn turn = data::axis_turn(data::axis_codes(header.affine()), axes);
    labels = data::turned(std::move(labels), size, turn);
    size = data::turned(size, turn);
  }
  if (data::Extent{size[2], size[1], size[0]} != file.info().full_extent) {
    throw_error<ConfigError>("{}: is {} x {} x {} voxels, the case is {}", path.string(), size[2],
                             size[1], size[0], fmt::join(file.info().full_extent, " x "));
  }
  for (std::uint8_t& value : labels) {
    if (value == 0) continue;
    const auto tissue = profile.tissue(value);
    if (!tissue) {
      throw_error<ConfigError>(
          "{}: the label value {} is none of profile {}. Name the masks' own with --profile",
          path.string(), int{value}, profile.name);
    }
    value = static_cast<std::uint8_t>(*tissue);
  }
  return labels;
}

void run(const ViewArguments& arguments) {
  const fs::path path = case_file(arguments.case_path);
  const data::CaseFile file(path);
  file.verify();
  const data::CaseInfo& info = file.info();
  const data::Profile& profile =
      data::find_profile(arguments.profile.empty() ? file.header().profile : arguments.profile);
  monitoring::CaseVolumes volumes;
  volumes.extent = info.full_extent;
  volumes.spacing_mm = info.spacing_mm;
  const auto voxels =
      static_cast<std::size_t>(info.full_extent[0] * info.full_extent[1] * info.full_extent[2]);
  std::vector<std::string> columns;
  for (std::size_t m = 0; m < file.header().modalities.size(); ++m) {
    if (!data::contains(info.available, static_cast<int>(m))) continue;
    volumes.images.emplace_back(voxels);
    file.read_image(static_cast<int>(m), {0, 0, 0}, info.full_extent, volumes.images.back().data());
    columns.push_back(file.header().modalities[m]);
  }
  if (info.has_label) {
    volumes.masks.emplace_back(voxels);
    file.read_label({0, 0, 0}, info.full_extent, volumes.masks.back().data());
    columns.emplace_back("truth");
  }
  for (const std::string& each : arguments.masks) {
    const auto equals = each.find('=');
    fs::path mask = equals == std::string::npos ? each : each.substr(equals + 1);
    if (fs::is_directory(mask)) mask /= info.id + ".nii.gz";
    columns.push_back(equals == std::string::npos ? mask.parent_path().filename().string()
                                                  : each.substr(0, equals));
    volumes.masks.push_back(read_mask(mask, file, profile));
  }
  const monitoring::CasePicture picture = monitoring::draw_case(volumes);
  const fs::path out = arguments.out.empty() ? fs::path(info.id + ".png") : fs::path(arguments.out);
  if (out.has_parent_path()) fs::create_directories(out.parent_path());
  const std::vector<std::uint8_t> png = monitoring::encode_png(picture.image);
  write_durably(posix_file_system(), out, std::as_bytes(std::span(png)));
  fmt::print("{}: {} x {} pixels\ncolumns: {}\nrows: axial slice {}, coronal {}, sagittal {}\n",
             out.string(), picture.image.width, picture.image.height, fmt::join(columns, ", "),
             picture.centre[0], picture.centre[1], picture.centre[2]);
}

}  // namespace

void add_view(CLI::App& program, ExitCode&) {
  auto* command = program.add_subcommand(
      "view", "A picture of a case: three planes, modalities, truth and masks side by side");
  auto arguments = std::make_shared<ViewArguments>();
  command->add_option("case", arguments->case_path, "CACHE/ID, or a case file (.h5)")->required();
  command
      ->add_option("--mask", arguments->masks,
                   "NAME=FILE: a mask beside the truth; a directory stands for its ID.nii.gz, as "
                   "`lacuna predict` writes it; may repeat")
      ->allow_extra_args(false);
  command->add_option("--profile", arguments->profile,
                      "Profile that numbers the masks' labels (default: the case's)");
  command->add_option("--out", arguments->out, "PNG to write (default: ID.png)");
  command->footer("Example: lacuna view cache/BraTS2021_00000 --mask mckd=masks/ --out case.png");
  command->callback([arguments] { run(*arguments); });
}

}  // namespace lacuna::app
