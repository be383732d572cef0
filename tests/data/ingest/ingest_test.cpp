#include "data/ingest/ingest.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "base/text/json.h"
#include "data/cache/case_file.h"
#include "tests/base/faulty_file_system.h"
#include "tests/data/toy_source.h"

namespace lacuna::data {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class IngestTest : public ::testing::Test {
 protected:
  IngestTest() : toy_(folder_ / "in", "brats2018") {
    options_.input = folder_ / "in";
    options_.output = folder_ / "cache";
  }
  IngestReport run() { return ingest(options_, posix_file_system()); }

  // The reason why the damaged second of three cases is refused; the other two must be kept.
  template <typename Damage>
  std::string reason_after(Damage damage) {
    toy_.fill(3);
    damage(toy_.names[1]);
    const IngestReport report = run();
    EXPECT_EQ(report.cohort.cases.size(), 2u);
    EXPECT_EQ(open_cohort(options_.output).refused.size(), 1u);
    return report.cohort.refused.empty() ? "not refused" : report.cohort.refused[0].reason;
  }
  template <typename T>
  void write(const fs::path& path, const std::vector<T>& values,
             const NiftiHeader& grid = ToySource::grid()) {
    write_nifti<T>(posix_file_system(), path, grid, values, 1);
  }
  std::string error_of() {
    try {
      run();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryDirectory folder_;
  ToySource toy_;
  IngestOptions options_;
};

TEST_F(IngestTest, KeepsEveryVoxelAndWhatIsKnownOfACase) {
  toy_.fill(3);
  options_.jobs = 3;
  const IngestReport report = run();
  EXPECT_EQ(report.made, 3);
  EXPECT_EQ(report.why_profile,
            "3 of 3 case directories are named like BraTS 2018 (" + toy_.names[1].id + ")");
  const Cohort cohort = open_cohort(options_.output);
  ASSERT_EQ(cohort.cases.size(), 3u);
  for (const CaseInfo& info : cohort.cases) {
    const auto name = std::find_if(toy_.names.begin(), toy_.names.end(),
                                   [&](const CaseName& known) { return known.id == info.id; });
    EXPECT_EQ(info.institution, name->institution);
    EXPECT_EQ(info.grade, name->grade);
    EXPECT_EQ(info.box_offset, (Extent{3, 4, 5}));
    EXPECT_EQ(info.box_extent, (Extent{8, 9, 7}));
    EXPECT_EQ(info.affine[1][3], 20);
    const CaseFile file(cohort, info);
    file.verify();
    const auto volume = ToySource::volume(static_cast<int>(name - toy_.names.begin()), 2);
    std::vector<float> image(volume.size());
    file.read_image(2, {0, 0, 0}, ToySource::kExtent, image.data());
    EXPECT_TRUE(std::equal(image.begin(), image.end(), volume.begin()));
    std::vector<std::uint8_t> label(volume.size());
    file.read_label({0, 0, 0}, ToySource::kExtent, label.data());
    const auto stored = toy_.label();
    for (std::size_t i = 0; i < label.size(); ++i) {
      ASSERT_EQ(label[i], stored[i] == 4 ? 3 : stored[i]) << "voxel " << i;
    }
  }
}

TEST_F(IngestTest, ASecondRunDoesNothing) {
  toy_.fill(3);
  const IngestReport first = run();
  const auto time = fs::last_write_time(options_.output / "cohort.json");
  const auto case_time = fs::last_write_time(options_.output / first.cohort.cases[0].file);
  const IngestReport second = run();
  EXPECT_EQ(second.made, 0);
  EXPECT_EQ(second.kept, 3);
  EXPECT_FALSE(second.cohort_changed);
  EXPECT_EQ(fs::last_write_time(options_.output / "cohort.json"), time);
  EXPECT_EQ(fs::last_write_time(options_.output / first.cohort.cases[0].file), case_time);
}

TEST_F(IngestTest, OnlyChangedCasesAreMadeAgain) {
  toy_.fill(3);
  const std::string before = run().cohort.fingerprint;
  const auto now = fs::file_time_type::clock::now() + std::chrono::hours(1);
  fs::last_write_time(toy_.file(toy_.names[0], 0), now);  // touched, but the same bytes
  EXPECT_EQ(run().made, 0);
  write(toy_.file(toy_.names[0], 0), ToySource::volume(9, 0));
  const IngestReport changed = run();
  EXPECT_EQ(changed.made, 1);
  EXPECT_NE(changed.cohort.fingerprint, before);
}

TEST_F(IngestTest, TheCodecDoesNotChangeTheFingerprint) {
  toy_.fill(2);
  const std::string plain = run().cohort.fingerprint;
  options_.rules.codec = "lz4";
  options_.output = folder_ / "packed";
  EXPECT_EQ(run().cohort.fingerprint, plain);
  options_.rules.codec = "zip";
  EXPECT_THAT(error_of(), HasSubstr("known: none, lz4"));
}

TEST_F(IngestTest, GoesOnWhereAFullDiskStoppedIt) {
  toy_.fill(4);
  fs::create_directories(folder_ / "stash");
  FaultyFileSystem files(folder_ / "stash");
  const auto one = ingest_case(scan_source(toy_.directory, "auto").cases[0], toy_.profile, {});
  files.free_bytes = one.bytes.size() * 5 / 2;
  try {
    ingest(options_, files);
    FAIL() << "the full disk went unnoticed";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("No space left"), HasSubstr("to go on")));
  }
  EXPECT_FALSE(fs::exists(options_.output / "cohort.json"));
  const IngestReport report = run();
  EXPECT_EQ(report.kept, 2);
  EXPECT_EQ(report.made, 2);
  for (const CaseInfo& info : report.cohort.cases) CaseFile(report.cohort, info).verify();
}

TEST_F(IngestTest, ADamagedCaseFileIsMadeAgain) {
  toy_.fill(2);
  const Cohort cohort = run().cohort;
  const fs::path path = options_.output / cohort.cases[1].file;
  fs::resize_file(path, fs::file_size(path) / 2);
  EXPECT_EQ(run().made, 1);
  EXPECT_EQ(open_cohort(options_.output).fingerprint, cohort.fingerprint);
}

TEST_F(IngestTest, RefusesTruncatedAndForeignFiles) {
  const std::string reason = reason_after([&](const CaseName& name) {
    fs::resize_file(toy_.file(name, 1), fs::file_size(toy_.file(name, 1)) / 2);
  });
  EXPECT_THAT(reason, HasSubstr(toy_.names[1].id + "_t1.nii.gz"));
  std::ofstream(toy_.file(toy_.names[1], 1)) << "this is not gzip";
  EXPECT_THAT(run().cohort.refused[0].reason, HasSubstr("gzip"));
}

TEST_F(IngestTest, RefusesAMissingModalityUnlessAskedToKeepIt) {
  const std::string reason =
      reason_after([&](const CaseName& name) { fs::remove(toy_.file(name, 2)); });
  EXPECT_THAT(reason, AllOf(HasSubstr("no file for T1c (" + toy_.names[1].id + "_t1ce.nii.gz)"),
                            HasSubstr("--allow-missing")));
  options_.rules.allow_missing = true;
  const IngestReport kept = run();
  EXPECT_EQ(kept.made, 1);
  for (const CaseInfo& info : kept.cohort.cases) {
    EXPECT_EQ(info.available, info.id == toy_.names[1].id ? 0b1011u : 0b1111u);
  }
  options_.rules.allow_missing = false;
  EXPECT_EQ(run().cohort.cases.size(), 2u);
}

TEST_F(IngestTest, RefusesFilesThatDoNotLieOnOneGrid) {
  NiftiHeader moved = ToySource::grid();
  moved.sform[2][3] += 3;
  EXPECT_THAT(reason_after([&](const CaseName& name) {
                write(toy_.file(name, 3), ToySource::volume(1, 3), moved);
              }),
              HasSubstr("their affines put a corner 3.0 mm apart"));
  NiftiHeader smaller = ToySource::grid();
  smaller.size[0] -= 1;
  auto values = ToySource::volume(1, 3);
  values.resize(static_cast<std::size_t>(smaller.voxels()));
  write(toy_.file(toy_.names[1], 3), values, smaller);
  EXPECT_THAT(
      run().cohort.refused[0].reason,
      HasSubstr("17 x 16 x 14 voxels, but " + toy_.names[1].id + "_flair.nii.gz has 18 x 16 x 14"));
}

TEST_F(IngestTest, RefusesNonFiniteVoxels) {
  std::vector<float> values(14 * 18 * 16, 1.5f);
  values[(2 * 18 + 3) * 16 + 4] = std::numeric_limits<float>::quiet_NaN();
  values[(2 * 18 + 3) * 16 + 5] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(reason_after([&](const CaseName& name) { write(toy_.file(name, 0), values); }),
              AllOf(HasSubstr("2 voxels are NaN or infinite"), HasSubstr("(i,j,k) = (3, 4, 2)")));
}

TEST_F(IngestTest, RefusesLabelsOutsideTheProfile) {
  auto label = toy_.label();
  label[40] = 3;
  label[41] = 9;
  EXPECT_THAT(
      reason_after([&](const CaseName& name) { write(toy_.label_file(name), label); }),
      HasSubstr("label values 3, 9 do not belong to profile brats2018 (allowed: 0, 1, 2, 4)"));
}

TEST_F(IngestTest, RefusesAnImageWithoutContent) {
  EXPECT_THAT(reason_after([&](const CaseName& name) {
                write(toy_.file(name, 0), std::vector<std::int16_t>(14 * 18 * 16, 7));
              }),
              HasSubstr("every voxel is 7"));
}

TEST_F(IngestTest, RefusesADuplicateCaseNamingBothPlaces) {
  toy_.fill(3);
  const fs::path copy = folder_ / "in/LGG" / toy_.names[1].id;
  fs::copy(folder_ / "in/HGG" / toy_.names[1].id, copy);
  const IngestReport report = run();
  ASSERT_EQ(report.cohort.refused.size(), 1u);
  EXPECT_THAT(report.cohort.refused[0].reason, AllOf(HasSubstr("/HGG/" + toy_.names[1].id),
                                                     HasSubstr("is also in " + copy.string())));
}

TEST_F(IngestTest, RefusesDirectoriesWithoutCases) {
  EXPECT_THAT(error_of(), HasSubstr("does not exist. Check --in"));
  fs::create_directories(folder_ / "in");
  EXPECT_THAT(error_of(), HasSubstr("no .nii or .nii.gz file"));
  toy_.fill(1);
  fs::remove(toy_.file(toy_.names[0], 0));
  EXPECT_THAT(error_of(), HasSubstr("none of 1 cases can be used. The first:"));
}

TEST_F(IngestTest, RefusesACacheOfAnotherVersionOrDataSet) {
  toy_.fill(1);
  fs::create_directories(options_.output);
  std::ofstream(options_.output / "cohort.json") << R"({"format": "lacuna-cohort", "version": 99})";
  EXPECT_THAT(error_of(), HasSubstr("cache format version 99"));
  fs::remove(options_.output / "cohort.json");
  run();
  ToySource other(folder_ / "other", "brats2021");
  other.fill(1);
  options_.input = folder_ / "other";
  EXPECT_THAT(error_of(), HasSubstr("holds a cohort of profile brats2018, the input is brats2021"));
}

TEST_F(IngestTest, KeepsFixedListsOfAnEarlierRun) {
  toy_.fill(3);
  std::ofstream(folder_ / "mine.json") << R"({"mine": {"train": [")" + toy_.names[0].id + R"("]}})";
  options_.splits_file = folder_ / "mine.json";
  run();
  options_.splits_file.reset();
  EXPECT_FALSE(run().cohort_changed);
  EXPECT_EQ(open_cohort(options_.output).part("mine", "train").size(), 1u);
}

TEST_F(IngestTest, FoldsStayWhenTheCohortGrowsShrinksAndComesBack) {
  toy_.fill(6);
  const Splits before = run().cohort.splits;
  const fs::path third = toy_.file(toy_.names[2], 0).parent_path();
  fs::rename(third, folder_ / "elsewhere");
  for (int i = 6; i < 9; ++i) toy_.add(i, "CBICA", "HGG");
  const Cohort grown = run().cohort;
  EXPECT_EQ(grown.cases.size(), 8u);
  EXPECT_FALSE(grown.departed.empty());
  EXPECT_EQ(open_cohort(options_.output).departed, grown.departed);
  fs::rename(folder_ / "elsewhere", third);
  const Cohort again = run().cohort;
  EXPECT_TRUE(again.departed.empty());
  for (const auto& [name, parts] : before) {
    for (const auto& [part, ids] : parts) {
      const auto& now = again.splits.at(name).at(part);
      EXPECT_TRUE(std::includes(now.begin(), now.end(), ids.begin(), ids.end()))
          << name << "/" << part;
    }
  }
  options_.redeal = true;
  EXPECT_EQ(run().cohort.splits, make_splits(again.cases, {5, 1}));
}

TEST_F(IngestTest, AnotherDealNeedsToBeAskedFor) {
  toy_.fill(6);
  options_.folds = 3;
  EXPECT_EQ(run().cohort.splits.count("fold3"), 0u);
  options_.folds.reset();
  EXPECT_FALSE(run().cohort_changed);
  options_.folds = 2;
  EXPECT_THAT(error_of(),
              AllOf(HasSubstr("--folds 2"), HasSubstr("dealt with 3"), HasSubstr("--redeal")));
  options_.folds = 3;
  options_.seed = 9;
  EXPECT_THAT(error_of(), AllOf(HasSubstr("--seed 9"), HasSubstr("--redeal")));
  options_.redeal = true;
  const Cohort redealt = run().cohort;
  EXPECT_EQ(redealt.splits, make_splits(redealt.cases, {3, 9}));
  EXPECT_EQ(open_cohort(options_.output).deal.seed, 9u);
  options_.redeal = false;
  EXPECT_FALSE(run().cohort_changed);
}

TEST_F(IngestTest, FoldsAppearWithTheSecondPatient) {
  toy_.fill(1);
  EXPECT_EQ(run().cohort.splits.size(), 1u);
  toy_.add(1, "CBICA", "HGG");
  const Splits splits = run().cohort.splits;
  EXPECT_EQ(splits.size(), 3u);
  EXPECT_EQ(splits.at("all").at("train").size(), 2u);
}

TEST_F(IngestTest, ListsOfFoldsReplaceTheDealtOnesAndStay) {
  toy_.fill(4);
  run();
  const auto id = [&](int i) { return toy_.names[static_cast<std::size_t>(i)].id; };
  const Json folds = {{{"train", {id(0), id(1)}}, {"val", {id(2)}}},
                      {{"train", {id(2), id(1)}}, {"val", {id(0)}}}};
  std::ofstream(folder_ / "splits_final.json") << folds.dump();
  options_.splits_file = folder_ / "splits_final.json";
  const IngestReport report = run();
  EXPECT_THAT(report.splits_form, HasSubstr("nnU-Net"));
  EXPECT_EQ(report.cohort.splits.size(), 3u);  // fold0, fold1, all
  options_.splits_file.reset();
  toy_.add(5, "CBICA", "HGG");
  const Splits grown = run().cohort.splits;
  EXPECT_EQ(grown.size(), 3u);
  EXPECT_EQ(grown.at("fold0"), report.cohort.splits.at("fold0"));
}

TEST_F(IngestTest, CasesWithoutALabelStayOutOfTheFolds) {
  toy_.fill(3);
  fs::remove(toy_.label_file(toy_.names[0]));
  const Cohort cohort = run().cohort;
  EXPECT_EQ(cohort.cases.size(), 3u);
  EXPECT_EQ(cohort.part("all", "train").size(), 2u);
}

TEST_F(IngestTest, RealImagesAreStoredAsHalves) {
  toy_.fill(1);
  std::vector<float> values;
  for (const std::int16_t value : ToySource::volume(0, 0)) values.push_back(value * 0.37f);
  write(toy_.file(toy_.names[0], 0), values);
  const Cohort cohort = run().cohort;
  const CaseFile file(cohort, cohort.cases[0]);
  EXPECT_EQ(file.header().element, "float16");
  std::vector<float> image(values.size());
  file.read_image(0, {0, 0, 0}, ToySource::kExtent, image.data());
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_NEAR(image[i], values[i], values[i] / 2048);  // 11 significant bits
  }
}

}  // namespace
}  // namespace lacuna::data
