#include "data/phantom/phantom.h"

#include <array>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/hash.h"
#include "base/files/temporary_directory.h"
#include "data/cohorts/profile.h"
#include "data/nifti/nifti.h"
#include "data/phantom/phantom_case.h"
#include "tests/base/faulty_file_system.h"

namespace lacuna::data {
namespace {

using ::testing::HasSubstr;

enum { kFlair, kT1, kT1c, kT2 };
constexpr Extent kSmall{40, 60, 60};

PhantomReport write(FileSystem& files, const Path& directory, const PhantomOptions& options) {
  Progress progress("phantom", "cases", options.cases, ProgressStyle::kQuiet);
  return write_phantom(files, directory, options, progress);
}

PhantomOptions small_options(int cases) {
  PhantomOptions options;
  options.cases = cases;
  options.extent = {20, 28, 24};
  return options;
}

// Relative path of every file -> hash of its bytes.
std::map<std::string, std::string> files_below(const Path& directory) {
  std::map<std::string, std::string> hashes;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    hashes[entry.path().lexically_relative(directory).string()] = hash_file_hex(entry.path());
  }
  return hashes;
}

std::string refusal(const Path& directory, const PhantomOptions& options) {
  try {
    write(posix_file_system(), directory, options);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

// Mean intensity of each tissue, background being healthy brain.
std::array<double, 5> means(const PhantomCase& made, std::size_t modality) {
  std::array<double, 5> sum{}, count{};
  for (std::size_t i = 0; i < made.label.size(); ++i) {
    if (made.images[modality][i] == 0) continue;
    sum[made.label[i]] += made.images[modality][i];
    ++count[made.label[i]];
  }
  for (std::size_t t = 0; t < 5; ++t) sum[t] /= std::max(1.0, count[t]);
  return sum;
}

TEST(PhantomCase, ShowsEachRegionInItsModalityOnly) {
  for (int number = 0; number < 3; ++number) {
    PhantomCaseOptions options;
    options.extent = kSmall;
    options.number = options.institution = number;
    const PhantomCase made = make_phantom_case(options);
    const auto flair = means(made, kFlair), t1 = means(made, kT1), t1c = means(made, kT1c),
               t2 = means(made, kT2);
    EXPECT_GT(t1c[3], 1.4 * t1c[2]) << "enhancing tumour stands out in T1c";
    EXPECT_NEAR(flair[3] / flair[2], 1, 0.25) << "and not in FLAIR, T1 and T2";
    EXPECT_NEAR(t1[3] / t1[2], 1, 0.25);
    EXPECT_NEAR(t2[3] / t2[2], 1, 0.25);
    EXPECT_GT(flair[2], 1.3 * flair[0]) << "oedema is bright in FLAIR and T2";
    EXPECT_GT(t2[2], 1.2 * t2[0]);
    EXPECT_LT(t1[1], 0.85 * t1[2]) << "necrosis is dark in T1 and T1c";
    EXPECT_LT(t1c[1], 0.85 * t1c[2]);
    EXPECT_NEAR(t2[1] / t2[2], 1, 0.25) << "and like oedema in T2";
  }
}

TEST(PhantomCase, IsSkullStrippedAndAlikeInAllModalities) {
  PhantomCaseOptions options;
  options.extent = kSmall;
  const PhantomCase made = make_phantom_case(options);
  std::size_t brain = 0;
  for (std::size_t i = 0; i < made.label.size(); ++i) {
    const bool inside = made.images[kT1][i] != 0;
    brain += inside;
    for (const auto& image : made.images) ASSERT_EQ(image[i] != 0, inside);
    ASSERT_TRUE(inside || made.label[i] == 0) << "no tumour outside the brain";
  }
  // A brain of 1.1 to 1.7 litres in the 8.9 litres of a BraTS volume.
  EXPECT_GT(brain, made.label.size() * 11 / 89);
  EXPECT_LT(brain, made.label.size() * 19 / 89);
  EXPECT_EQ(made.images[kT1][0], 0) << "the corner is background";
}

TEST(PhantomCase, LowGradeEnhancesLittleAndTreatmentLeavesACavity) {
  std::array<std::array<std::size_t, 5>, 3> voxels{};
  for (int number = 0; number < 6; ++number) {
    for (int kind = 0; kind < 3; ++kind) {
      PhantomCaseOptions options;
      options.extent = {26, 40, 40};
      options.number = number;
      options.low_grade = kind == 1;
      options.treated = kind == 2;
      const PhantomCase made = make_phantom_case(options);
      for (const std::uint8_t tissue : made.label) ++voxels[static_cast<std::size_t>(kind)][tissue];
    }
  }
  EXPECT_GT(voxels[0][3], 4 * voxels[1][3]);
  EXPECT_EQ(voxels[0][4], 0u);
  EXPECT_GT(voxels[2][4], 0u);
}

TEST(WritePhantom, SameSeedSameBytesOnAnyNumberOfThreads) {
  const TemporaryDirectory a, b, c;
  PhantomOptions options = small_options(3);
  write(posix_file_system(), a.path(), options);
  options.threads = 3;
  write(posix_file_system(), b.path(), options);
  EXPECT_EQ(files_below(a.path()), files_below(b.path()));
  EXPECT_EQ(files_below(a.path()).size(), 3u * 5 + 2);
  options.seed = 2;
  write(posix_file_system(), c.path(), options);
  const auto first = files_below(a.path()), other = files_below(c.path());
  EXPECT_NE(first.at("BraTS2021_00000/BraTS2021_00000_t1.nii.gz"),
            other.at("BraTS2021_00000/BraTS2021_00000_t1.nii.gz"));
}

TEST(WritePhantom, FollowsTheNamesAndLabelsOfEachProfile) {
  for (const Profile& profile : all_profiles()) {
    const TemporaryDirectory directory;
    PhantomOptions options = small_options(2);
    options.profile = profile.name;
    write(posix_file_system(), directory.path(), options);
    const auto files = files_below(directory.path());
    for (int number = 0; number < 2; ++number) {
      const auto& names = profile.writing.institutions;
      const auto made = profile.make_case(
          number, names.empty() ? number == 0 ? "CBICA" : "TCIA01" : names[0], "HGG");
      if (names.empty() || number == 0) {
        for (const std::string& image : made.images) {
          EXPECT_EQ(files.count(image), 1u) << profile.name << ": " << image;
        }
        EXPECT_EQ(files.count(made.label), 1u) << profile.name << ": " << made.label;
      }
      if (profile.writing.extension != ".nii.gz" || files.count(made.label) == 0) continue;
      const NiftiFile file(directory / made.label);
      EXPECT_EQ(file.header().extent(), options.extent);
      for (const std::uint8_t value : file.read<std::uint8_t>()) {
        ASSERT_TRUE(profile.tissue(value)) << profile.name << " does not know " << int{value};
      }
    }
  }
}

TEST(WritePhantom, FetsTableNamesThreeInstitutions) {
  const TemporaryDirectory directory;
  PhantomOptions options = small_options(3);
  options.profile = "fets2022";
  write(posix_file_system(), directory.path(), options);
  const auto bytes = posix_file_system().read(directory / "partitioning_1.csv");
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
            "Partition_ID,Subject_ID\n1,FeTS2022_00000\n2,FeTS2022_00001\n3,FeTS2022_00002\n");
}

TEST(WritePhantom, LeavesOutModalitiesButNeverAll) {
  const TemporaryDirectory directory;
  PhantomOptions options = small_options(12);
  options.extent = {16, 16, 16};
  options.missing = 0.7;
  const PhantomReport report = write(posix_file_system(), directory.path(), options);
  EXPECT_EQ(report.image_files + report.left_out, 48);
  EXPECT_GT(report.left_out, 20);  // 33 expected, deviation 3
  std::map<std::string, int> images;
  for (const auto& [name, hash] : files_below(directory.path())) {
    if (name.ends_with(".nii.gz") && !name.ends_with("_seg.nii.gz")) {
      ++images[Path(name).parent_path().string()];
    }
  }
  EXPECT_EQ(images.size(), 12u) << "a case without an image";
}

TEST(WritePhantom, CompletesAnInterruptedCohortAndKeepsAWholeOne) {
  const TemporaryDirectory directory, whole, stash;
  const PhantomOptions options = small_options(2);
  FaultyFileSystem files(stash.path());
  files.free_bytes = 10'000;
  EXPECT_THROW(write(files, directory / "cohort", options), DataError);
  EXPECT_FALSE(write(posix_file_system(), directory / "cohort", options).was_complete);
  write(posix_file_system(), whole.path(), options);
  EXPECT_EQ(files_below(directory / "cohort"), files_below(whole.path()));
  EXPECT_TRUE(write(posix_file_system(), whole.path(), options).was_complete);
  EXPECT_THAT(refusal(whole.path(), small_options(3)), HasSubstr("other options"));
}

TEST(WritePhantom, RefusesWhatItCannotDo) {
  const TemporaryDirectory directory;
  write_durably(posix_file_system(), directory / "thesis.tex", std::string("text"));
  EXPECT_THAT(refusal(directory.path(), small_options(1)), HasSubstr("not empty"));
  PhantomOptions options = small_options(0);
  EXPECT_THAT(refusal(directory / "new", options), HasSubstr("0 cases, allowed: 1"));
  options = small_options(1);
  options.extent[1] = 8;
  EXPECT_THAT(refusal(directory / "new", options), HasSubstr("a size of 8 voxels, allowed: 16"));
  options = small_options(1);
  options.missing = 1;
  EXPECT_THAT(refusal(directory / "new", options), HasSubstr("missing is 1"));
  options = small_options(1);
  options.profile = "brats2012";
  EXPECT_THAT(refusal(directory / "new", options), HasSubstr("unknown profile"));
  EXPECT_FALSE(std::filesystem::exists(directory / "new"));
}

}  // namespace
}  // namespace lacuna::data
