#include "evaluation/mask_files.h"

#include <array>
#include <cmath>

#include <fmt/ranges.h>

#include "base/error.h"
#include "data/nifti/nifti.h"

namespace lacuna::evaluation {
namespace {

// Larger differences between two affines put the same voxel at different places. Programs that
// rewrite a header round its numbers to float.
constexpr double kAffineToleranceMm = 1e-3;

struct LabelFile {
  std::filesystem::path path;
  data::NiftiHeader header;
  std::vector<std::uint8_t> values;  // as in the file
};

LabelFile read_labels(const std::filesystem::path& path) {
  const data::NiftiFile file(path);
  return {path, file.header(), file.read<std::uint8_t>()};
}

void check_same_grid(const LabelFile& prediction, const LabelFile& truth) {
  const auto& size = prediction.header.size;
  if (size != truth.header.size) {
    throw_error<DataError>(
        "{}: {} voxels, but {} has {}. Both must lie on one grid: resample the prediction.",
        prediction.path.string(), fmt::join(size, " x "), truth.path.string(),
        fmt::join(truth.header.size, " x "));
  }
  const data::Affine ours = prediction.header.affine(), theirs = truth.header.affine();
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 4; ++column) {
      if (std::abs(ours[row][column] - theirs[row][column]) <= kAffineToleranceMm) continue;
      throw_error<DataError>(
          "{}: its affine differs from that of {}: row {} is [{}], there [{}]. Both must lie on "
          "one "
          "grid: resample the prediction, or copy the right header.",
          prediction.path.string(), truth.path.string(), row, fmt::join(ours[row], ", "),
          fmt::join(theirs[row], ", "));
    }
  }
}

const data::Profile& choose_profile(const std::string& name, const LabelFile& a,
                                    const LabelFile& b) {
  if (name != "auto") return data::find_profile(name);
  std::array<bool, 256> seen{};
  for (const LabelFile* file : {&a, &b}) {
    for (const std::uint8_t value : file->values) seen[value] = true;
  }
  if (!seen[4]) return data::find_profile("brats2023");
  return data::find_profile(seen[3] ? "brats2024" : "brats2021");
}

std::vector<std::uint8_t> to_tissues(const LabelFile& file, const data::Profile& profile) {
  std::array<std::uint8_t, 256> table{};
  std::array<bool, 256> known{};
  for (std::size_t value = 0; value < 256; ++value) {
    const auto tissue = profile.tissue(static_cast<std::uint8_t>(value));
    known[value] = tissue.has_value();
    if (tissue) table[value] = static_cast<std::uint8_t>(*tissue);
  }
  std::vector<std::uint8_t> tissues(file.values.size());
  for (std::size_t i = 0; i < tissues.size(); ++i) {
    const std::uint8_t value = file.values[i];
    if (!known[value]) {
      throw_error<DataError>("{}: label {} at voxel {}, which {} does not have. Use --profile.",
                             file.path.string(), value,
                             data::voxel_name(static_cast<std::int64_t>(i), file.header.extent()),
                             profile.title);
    }
    tissues[i] = table[value];
  }
  return tissues;
}

}  // namespace

FileScores score_files(const std::filesystem::path& prediction, const std::filesystem::path& truth,
                       const std::string& profile, const ScoreOptions& options) {
  if (profile != "auto") data::find_profile(profile);  // a misspelt name before slow reading
  const LabelFile predicted = read_labels(prediction), expected = read_labels(truth);
  check_same_grid(predicted, expected);
  const data::Profile& chosen = choose_profile(profile, predicted, expected);
  return {&chosen, score_case(to_tissues(predicted, chosen), to_tissues(expected, chosen),
                              expected.header.extent(), expected.header.spacing_mm(),
                              chosen.regions, options)};
}

}  // namespace lacuna::evaluation
