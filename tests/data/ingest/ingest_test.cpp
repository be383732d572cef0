#include "data/ingest/ingest.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "base/text/json.h"
#include "data/augment/augment_spatial.h"
#include "data/augment/resample.h"
#include "data/cache/case_file.h"
#include "data/cache/case_layout.h"
#include "data/nifti/orientation.h"
#include "data/sampling/loader.h"
#include "data/sampling/sample_maker.h"
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

// What the cohort's grid is, and volumes that lie otherwise.
class IngestGridTest : public IngestTest {
 protected:
  // Writes a modality of a case (or, m = 4, its label) with its axes in another order.
  void rewrite(const CaseName& name, int m, const std::string& codes) {
    const Path path = m < 4 ? toy_.file(name, m) : toy_.label_file(name);
    const NiftiFile file(path);
    const AxisTurn turn = axis_turn("LPS", codes);
    NiftiHeader header = file.header();
    const Affine affine = turned(header.affine(), header.size, turn);
    header.size = turned(file.header().size, turn);
    header.voxel_mm = turned(file.header().voxel_mm, turn);
    std::copy_n(affine.begin(), 3, header.sform.begin());
    if (m < 4) {
      write(path, turned(file.read<std::int16_t>(), file.header().size, turn), header);
    } else {
      write(path, turned(file.read<std::uint8_t>(), file.header().size, turn), header);
    }
  }
  std::vector<float> image(const Cohort& cohort, std::size_t c, int m) {
    const CaseFile file(cohort, cohort.cases[c]);
    file.verify();
    const Extent& extent = cohort.cases[c].full_extent;
    std::vector<float> values(static_cast<std::size_t>(voxels(extent)));
    file.read_image(m, {0, 0, 0}, extent, values.data());
    return values;
  }
};

TEST_F(IngestGridTest, VolumesAreTurnedToTheAxesOfMost) {
  toy_.fill(4);
  const Cohort before = run().cohort;
  ASSERT_TRUE(before.grid);
  EXPECT_EQ(before.grid->orientation, "LPS");
  EXPECT_EQ(open_cohort(options_.output).grid, before.grid);
  // One case all over, one in a single file, its label and another modality otherwise.
  for (int m = 0; m < 5; ++m) rewrite(toy_.names[1], m, "PIR");
  rewrite(toy_.names[2], 0, "RAS");
  rewrite(toy_.names[2], 3, "SAL");
  rewrite(toy_.names[2], 4, "IPR");
  options_.output = folder_ / "second";
  const Cohort after = run().cohort;
  EXPECT_TRUE(after.refused.empty());
  ASSERT_EQ(after.cases.size(), 4u);
  EXPECT_EQ(after.grid, before.grid);
  for (std::size_t c = 0; c < 4; ++c) {
    EXPECT_EQ(after.cases[c].full_extent, before.cases[c].full_extent);
    EXPECT_EQ(after.cases[c].box_offset, before.cases[c].box_offset);
    EXPECT_EQ(axis_codes(after.cases[c].affine), "LPS");
    for (int m = 0; m < 4; ++m) EXPECT_EQ(image(after, c, m), image(before, c, m));
    for (int region = 0; region < 3; ++region) {
      const CaseFile a(after, after.cases[c]), b(before, before.cases[c]);
      EXPECT_TRUE(std::ranges::equal(a.foreground(region), b.foreground(region)));
    }
  }
  const IngestReport again = run();
  EXPECT_EQ(again.kept, 4);
  EXPECT_FALSE(again.cohort_changed);
}

// Files on one grid in the world, though with different numbers of voxels along their own axes; a
// file that lies elsewhere is still found.
TEST_F(IngestGridTest, ATurnedFileThatLiesElsewhereIsRefused) {
  EXPECT_THAT(reason_after([&](const CaseName& name) {
                rewrite(name, 2, "RAS");
                const NiftiFile file(toy_.file(name, 2));
                NiftiHeader header = file.header();
                header.sform[2][3] += 1;
                write(toy_.file(name, 2), file.read<std::int16_t>(), header);
              }),
              HasSubstr("1.0 mm apart"));
}

TEST_F(IngestGridTest, AnotherVoxelSizeIsRefusedOrResampled) {
  toy_.fill(3);
  for (int m = 0; m < 5; ++m) {
    const Path path = m < 4 ? toy_.file(toy_.names[1], m) : toy_.label_file(toy_.names[1]);
    const NiftiFile file(path);
    NiftiHeader header = file.header();
    header.voxel_mm[2] = 2;
    header.sform[2][2] = 2;
    if (m < 4) {
      write(path, file.read<std::int16_t>(), header);
    } else {
      write(path, file.read<std::uint8_t>(), header);
    }
  }
  const IngestReport refused = run();
  ASSERT_EQ(refused.cohort.refused.size(), 1u);
  EXPECT_THAT(refused.cohort.refused[0].reason, HasSubstr("voxels of 1 x 1 x 2 mm"));
  EXPECT_THAT(refused.cohort.refused[0].reason, HasSubstr("--resample"));
  options_.rules.resample = true;
  const IngestReport report = run();
  EXPECT_EQ(report.kept, 2);
  ASSERT_TRUE(report.cohort.refused.empty());
  const auto found =
      std::find_if(report.cohort.cases.begin(), report.cohort.cases.end(),
                   [&](const CaseInfo& info) { return info.id == toy_.names[1].id; });
  const Extent doubled = {2 * ToySource::kExtent[0], ToySource::kExtent[1], ToySource::kExtent[2]};
  EXPECT_EQ(found->full_extent, doubled);
  EXPECT_EQ(found->spacing_mm, (std::array<double, 3>{1, 1, 1}));
  const auto values =
      image(report.cohort, static_cast<std::size_t>(found - report.cohort.cases.begin()), 1);
  // Slice 2d lies a quarter of a slice before the middle of slice d.
  const auto raw = [&](std::int64_t d) {
    return static_cast<float>(ToySource::intensity(1, 1, d, 8, 8));
  };
  const std::int64_t at = (12 * doubled[1] + 8) * doubled[2] + 8;
  EXPECT_NEAR(values[static_cast<std::size_t>(at)], 0.75f * raw(6) + 0.25f * raw(5), 0.5);
  EXPECT_EQ(run().kept, 3);
}

// A cache of before states no grid: it is completed by its own rules, without one.
TEST_F(IngestGridTest, ACacheWithoutAGridGoesOnAsItIs) {
  toy_.fill(2);
  Cohort old = run().cohort;
  old.grid.reset();
  write_cohort(posix_file_system(), old);
  EXPECT_FALSE(open_cohort(options_.output).grid);
  toy_.add(2, "CBICA", "HGG");
  for (int m = 0; m < 5; ++m) rewrite(toy_.names[2], m, "RAS");
  const IngestReport report = run();
  EXPECT_EQ(report.kept, 2);
  EXPECT_EQ(report.cohort.cases.size(), 3u);
  EXPECT_FALSE(report.cohort.grid);
  for (const CaseInfo& info : report.cohort.cases) {
    EXPECT_EQ(axis_codes(info.affine), info.id == toy_.names[2].id ? "RAS" : "LPS");
  }
}

// One head in every order and direction of axes; only where such scans are.
TEST_F(IngestGridTest, RealScansInAll48OrdersAreOneVolume) {
  const char* folder = std::getenv("LACUNA_REAL_SCANS");
  if (folder == nullptr || !fs::exists(fs::path(folder) / "orientations")) {
    GTEST_SKIP() << "LACUNA_REAL_SCANS names no folder with orientations/*.nii.gz";
  }
  std::vector<float> first;
  int files = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(folder) / "orientations")) {
    const NiftiFile file(entry.path());
    const AxisTurn turn = axis_turn(axis_codes(file.header().affine()), "LPS");
    const auto values = turned(file.read<float>(), file.header().size, turn);
    if (first.empty()) first = values;
    EXPECT_EQ(values, first) << entry.path();
    ++files;
  }
  EXPECT_EQ(files, 48);
}

class LabelMapTest : public IngestTest {
 protected:
  static std::uint8_t value(int number, int m, std::int64_t at) {
    return static_cast<std::uint8_t>((at / 3 + number + m) % 4);
  }
  // Maps of a case, beside each other or in a folder of their own.
  void add_maps(int number, bool own_folder) {
    const CaseName& name = toy_.names[static_cast<std::size_t>(number)];
    const fs::path place = own_folder ? maps_ / name.id : maps_;
    fs::create_directories(place);
    for (int m = 0; m < 4; ++m) {
      std::vector<std::uint8_t> map;
      for (std::int64_t i = 0; i < voxels(ToySource::kExtent); ++i)
        map.push_back(value(number, m, i));
      const char* modalities[] = {"FLAIR", "T1", "T1c", "T2"};
      write(place / (own_folder ? name.id + "_" + modalities[m] + ".nii.gz"
                                : toy_.file(name, m).filename().string()),
            map);
    }
  }
  const fs::path maps_ = folder_ / "maps";
};

TEST_F(LabelMapTest, AreStoredBesideTheLabelAndComeWithTheSamples) {
  toy_.fill(3);
  add_maps(0, false);
  add_maps(1, true);
  for (const char* codec : {"none", "lz4"}) {
    options_.output = folder_ / codec;
    options_.rules.codec = codec;
    options_.label_maps = {{"sam", maps_}};
    const Cohort cohort = run().cohort;
    ASSERT_EQ(cohort.cases.size(), 3u);
    EXPECT_EQ(run().kept, 3);
    const Cohort opened = open_cohort(options_.output);
    int with = 0;
    for (const CaseInfo& info : opened.cases) {
      const auto number =
          static_cast<int>(std::find_if(toy_.names.begin(), toy_.names.end(),
                                        [&](const CaseName& name) { return name.id == info.id; }) -
                           toy_.names.begin());
      const CaseFile file(opened, info);
      file.verify();
      if (number == 2) {
        EXPECT_TRUE(info.label_maps.empty());
        continue;
      }
      ++with;
      EXPECT_EQ(info.label_maps, std::vector<std::string>{"sam"});
      ASSERT_EQ(file.header().label_maps.size(), 1u);
      EXPECT_EQ(file.header().label_maps[0].classes, 4);
      DataRecipe recipe;
      recipe.patch = {10, 11, 9};
      recipe.label_maps = {{"sam", 4}};
      recipe.augmentation = mirror_augmentation();
      const auto size = static_cast<std::size_t>(voxels(recipe.patch));
      std::vector<float> patch(4 * size);
      std::vector<std::uint8_t> label(size), map(4 * size, 77);
      std::uint8_t* const buffers[] = {map.data()};
      const Crop crop =
          SampleMaker(recipe, 4).make(file, 1, 7, patch.data(), label.data(), buffers);
      const auto mirror = draw_augmentation(recipe.augmentation, 4, 1, 7).mirror;
      std::size_t wrong = 0, nonzero = 0, i = 0;
      for (int m = 0; m < 4; ++m) {
        for (std::int64_t d = 0; d < 10; ++d) {
          for (std::int64_t h = 0; h < 11; ++h) {
            for (std::int64_t w = 0; w < 9; ++w, ++i) {
              const Extent at = {crop.corner[0] + (mirror[0] ? 9 - d : d),
                                 crop.corner[1] + (mirror[1] ? 10 - h : h),
                                 crop.corner[2] + (mirror[2] ? 8 - w : w)};
              const bool inside =
                  at[0] >= 3 && at[0] < 11 && at[1] >= 4 && at[1] < 13 && at[2] >= 5 && at[2] < 12;
              const std::uint8_t expected =
                  inside ? value(number, m, (at[0] * 18 + at[1]) * 16 + at[2]) : 0;
              wrong += map[i] != expected;
              nonzero += expected != 0;
            }
          }
        }
      }
      EXPECT_EQ(wrong, 0u);
      EXPECT_GT(nonzero, 100u);
      // Turned by interpolation a map takes its nearest values: its classes have no order.
      recipe.augmentation = {};
      recipe.augmentation.rotation_probability = 1;
      const Crop wide =
          SampleMaker(recipe, 4).make(file, 1, 3, patch.data(), label.data(), buffers);
      const auto turn = draw_augmentation(recipe.augmentation, 4, 1, 3);
      ASSERT_TRUE(turn.spatial.interpolates());
      for (int m = 0; m < 4; ++m) {
        ResampleSource source;
        source.reset(wide.extent, 0);
        for (std::int64_t d = 0; d < wide.extent[0]; ++d) {
          for (std::int64_t h = 0; h < wide.extent[1]; ++h) {
            std::vector<std::uint8_t> row;
            for (std::int64_t w = 0; w < wide.extent[2]; ++w) {
              const Extent at = {wide.corner[0] + d, wide.corner[1] + h, wide.corner[2] + w};
              const bool inside =
                  at[0] >= 3 && at[0] < 11 && at[1] >= 4 && at[1] < 13 && at[2] >= 5 && at[2] < 12;
              row.push_back(inside ? value(number, m, (at[0] * 18 + at[1]) * 16 + at[2]) : 0);
            }
            source.set_label_row(d, h, row.data());
          }
        }
        std::vector<std::uint8_t> nearest(size);
        resample(source, spatial_map(turn.spatial, recipe.patch, wide.extent, nullptr),
                 {.nearest_label = true}, recipe.patch, nullptr, nearest.data());
        const auto begin = map.begin() + static_cast<std::ptrdiff_t>(m * size);
        EXPECT_TRUE(std::equal(nearest.begin(), nearest.end(), begin)) << m;
      }
      recipe.label_maps = {{"sam", 3}};
      EXPECT_THROW(SampleMaker(recipe, 4).make(file, 1, 7, patch.data(), label.data(), buffers),
                   DataError);
    }
    EXPECT_EQ(with, 2);
    LoaderOptions options;
    options.cases = {0, 1, 2};
    options.recipe.patch = {8, 9, 7};
    options.subsets = {{"policy", "full"}, {"granularity", "sample"}};
    // More classes than the method takes: refused before the first sample.
    options.recipe.label_maps = {{"sam", 3}};
    try {
      const Loader refused(opened, options);
      ADD_FAILURE() << "was taken";
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), HasSubstr("values up to 3, the method takes 3 classes"));
      EXPECT_THAT(error.what(), HasSubstr("(and 1 more cases)"));
    }
    options.recipe.label_maps = {{"sam", 4}, {"none", 2}};
    options.recipe.augmentation.plane_turn_degrees = {-10, 9};
    options.subsets = {{"policy", "full"}, {"granularity", "sample"}};
    options.batch = 3;
    Loader loader(opened, options);
    const auto batch = loader.next();
    ASSERT_EQ(batch->label_maps.size(), 2u);
    EXPECT_TRUE(batch->label_maps[0].present);
    EXPECT_FALSE(batch->label_maps[1].present);
    const std::size_t sample = 4 * 8 * 9 * 7;
    ASSERT_EQ(batch->label_maps[0].values.size(), 3 * sample);
    for (std::size_t s = 0; s < 3; ++s) {
      const auto* begin = batch->label_maps[0].values.data() + s * sample;
      const bool has = !opened.cases[static_cast<std::size_t>(batch->cases[s])].label_maps.empty();
      const auto none = std::count(begin, begin + sample, kNoLabelMap);
      EXPECT_EQ(none, has ? 0 : static_cast<std::ptrdiff_t>(sample));
      EXPECT_LE(*std::min_element(begin, begin + sample), has ? 3 : kNoLabelMap);
    }
  }
}

TEST_F(LabelMapTest, MapsThatDoNotFitAreRefusedByName) {
  toy_.fill(2);
  add_maps(0, true);
  options_.label_maps = {{"sam", maps_}};
  NiftiHeader other = ToySource::grid();
  other.sform[0][3] += 4;
  const CaseName& name = toy_.names[0];
  const fs::path one = maps_ / name.id / (name.id + "_T1.nii.gz");
  write(one, std::vector<std::uint8_t>(static_cast<std::size_t>(voxels(ToySource::kExtent)), 1),
        other);
  EXPECT_THAT(run().cohort.refused.at(0).reason, HasSubstr("4.0 mm apart"));
  EXPECT_EQ(run().bad_label_maps, 1);
  write(one, std::vector<std::uint8_t>(static_cast<std::size_t>(voxels(ToySource::kExtent)), 255));
  EXPECT_THAT(run().cohort.refused.at(0).reason, HasSubstr("with the value 255"));
  // Where that leaves no case at all it is the option's fault.
  add_maps(1, true);
  write(maps_ / toy_.names[1].id / (toy_.names[1].id + "_T1.nii.gz"),
        std::vector<std::uint8_t>(static_cast<std::size_t>(voxels(ToySource::kExtent)), 1), other);
  options_.output = folder_ / "none";
  EXPECT_THAT(error_of(), HasSubstr("no label map fits its case"));
  fs::remove_all(maps_ / toy_.names[1].id);
  options_.output = folder_ / "cache";
  fs::remove(one);
  EXPECT_THAT(run().cohort.refused.at(0).reason, HasSubstr("has no file for T1"));
  EXPECT_EQ(run().bad_label_maps, 1);
  options_.label_maps = {{"sam", folder_ / "nowhere"}};
  EXPECT_THAT(error_of(), HasSubstr("no such directory"));
  options_.label_maps = {{"a/b", maps_}};
  EXPECT_THAT(error_of(), HasSubstr("letters, digits"));
  fs::create_directories(folder_ / "empty");
  options_.label_maps = {{"sam", folder_ / "empty"}};
  EXPECT_THAT(error_of(), HasSubstr("no case has a file there"));
}

// Registered images are negative in places, labels come as float64, and one class may be all there
// is.
TEST_F(IngestTest, RealTraitsAreTaken) {
  toy_.fill(3);
  std::vector<std::int16_t> negative = ToySource::volume(0, 1);
  for (std::int16_t& value : negative) {
    if (value > 0) value = static_cast<std::int16_t>(value - 450);
  }
  write(toy_.file(toy_.names[0], 1), negative);
  const auto stored = toy_.label();
  std::vector<float> near(stored.begin(), stored.end());
  for (float& value : near) value *= 0.99999f;
  write(toy_.label_file(toy_.names[1]), near);
  write(toy_.label_file(toy_.names[2]), std::vector<std::uint8_t>(stored.size(), 1));
  const Cohort cohort = run().cohort;
  ASSERT_TRUE(cohort.refused.empty());
  const auto file_of = [&](std::size_t number) {
    const auto found =
        std::find_if(cohort.cases.begin(), cohort.cases.end(),
                     [&](const auto& info) { return info.id == toy_.names[number].id; });
    return CaseFile(cohort, *found);
  };
  std::vector<float> image(negative.size());
  const CaseFile first = file_of(0);
  first.read_image(1, {0, 0, 0}, ToySource::kExtent, image.data());
  EXPECT_TRUE(std::equal(image.begin(), image.end(), negative.begin()));
  EXPECT_LT(first.statistics(1).minimum, -100);
  EXPECT_LT(first.statistics(1).mean, first.statistics(1).trimmed_mean);
  std::vector<std::uint8_t> label(stored.size());
  file_of(1).read_label({0, 0, 0}, ToySource::kExtent, label.data());
  for (std::size_t i = 0; i < label.size(); ++i) {
    ASSERT_EQ(label[i], stored[i] == 4 ? 3 : stored[i]);
  }
  const CaseFile all = file_of(2);
  EXPECT_EQ(all.info().box_extent, ToySource::kExtent);
  EXPECT_EQ(all.foreground(2).size(), stored.size());
}

// A series of four volumes in one file, as some data sets are published.
TEST_F(IngestTest, ModalitiesMayBeVolumesOfOneFile) {
  toy_.fill(1);
  const CaseName& name = toy_.names[0];
  SourceCase source = scan_source(options_.input, "auto").cases.at(0);
  std::vector<std::byte> bytes = encode_nifti_header(ToySource::grid(), NiftiType::kInt16);
  const std::int16_t dims[8] = {4, 18, 16, 14, 4, 1, 1, 1};
  std::memcpy(bytes.data() + 40, dims, sizeof dims);
  for (int m = 0; m < 4; ++m) {
    const auto one = posix_file_system().read(toy_.file(name, m));
    const Buffer plain = gunzip(one, toy_.file(name, m));
    bytes.insert(bytes.end(), plain.bytes().begin() + 352, plain.bytes().end());
  }
  for (const char* file : {"series.nii", "series.nii.gz"}) {
    const Path series = folder_ / file;
    write_durably(posix_file_system(), series,
                  series.extension() == ".gz" ? gzip(bytes, 1) : bytes);
    source.images.assign(4, series);
    source.channels = {3, 1, 0, 2};
    const CaseBytes made = ingest_case(source, find_profile("brats2018"), {});
    write_durably(posix_file_system(), folder_ / "case.h5", made.bytes);
    const CaseFile stored(folder_ / "case.h5");
    std::vector<float> image(static_cast<std::size_t>(voxels(ToySource::kExtent)));
    for (int m = 0; m < 4; ++m) {
      stored.read_image(m, {0, 0, 0}, ToySource::kExtent, image.data());
      const auto expected = ToySource::volume(0, source.channels[static_cast<std::size_t>(m)]);
      EXPECT_TRUE(std::equal(image.begin(), image.end(), expected.begin()));
    }
    source.channels = {3, 1, 0, 4};
    EXPECT_THROW(ingest_case(source, find_profile("brats2018"), {}), DataError);
    source.channels.clear();
    EXPECT_THROW(ingest_case(source, find_profile("brats2018"), {}), DataError);
  }
}

}  // namespace
}  // namespace lacuna::data
