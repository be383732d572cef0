#include "evaluation/scores/mask_files.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/text/log.h"
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
  if (const std::string odd = data::contradiction(file.header()); !odd.empty()) {
    log::warn("{}: {}", path.string(), odd);
  }
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

// The profile of this name. A challenge of a year has the numbering of its year where all its
// challenges share it.
const data::Profile& named_profile(const std::string& name) {
  static const std::map<std::string, std::string> kChallenges = {
      {"brats2023-gli", "brats2023"}, {"brats2023-ssa", "brats2023"},
      {"brats2023-ped", "brats2023"}, {"brats2023-men", "brats2023"},
      {"brats2023-met", "brats2023"}, {"brats2024-gli", "brats2024"}};
  const auto known = [&](const data::Profile& profile) { return profile.name == name; };
  const auto& all = data::all_profiles();
  const auto challenge = kChallenges.find(name);
  if (std::none_of(all.begin(), all.end(), known) && challenge != kChallenges.end()) {
    return data::find_profile(challenge->second);
  }
  return data::find_profile(name);
}

// What the values of one file say of its numbering: nullptr when they fit every one.
const char* guess_profile(const LabelFile& file) {
  std::array<bool, 256> seen{};
  for (const std::uint8_t value : file.values) seen[value] = true;
  if (seen[4]) return seen[3] ? "brats2024" : "brats2021";
  return seen[3] ? "brats2023" : nullptr;
}

const data::Profile& choose_profile(const std::string& name, const LabelFile& a,
                                    const LabelFile& b) {
  if (name != "auto") return named_profile(name);
  const char *first = guess_profile(a), *second = guess_profile(b);
  if (!first) first = second ? second : "brats2023";
  if (!second) second = first;
  const data::Profile &one = data::find_profile(first), &other = data::find_profile(second);
  if (&one == &other) return one;
  // 2024 numbers enhancing tumour as 2023 does and adds a value; 2021 gives that value to it.
  const bool old = one.name == "brats2021" || other.name == "brats2021";
  if (!old) return one.name == "brats2024" ? one : other;
  throw_error<DataError>(
      "{} looks like {} by its labels, {} like {}: the same value means another tissue there. "
      "Renumber one of them, or name the numbering that both have with --profile.",
      a.path.string(), one.title, b.path.string(), other.title);
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
  if (profile != "auto") named_profile(profile);  // a misspelt name before slow reading
  const LabelFile predicted = read_labels(prediction), expected = read_labels(truth);
  check_same_grid(predicted, expected);
  const data::Profile& chosen = choose_profile(profile, predicted, expected);
  options.scores.require_regions(chosen.regions, chosen.title);
  return {&chosen, score_case(to_tissues(predicted, chosen), to_tissues(expected, chosen),
                              expected.header.extent(), expected.header.spacing_mm(),
                              chosen.regions, options)};
}

}  // namespace lacuna::evaluation
