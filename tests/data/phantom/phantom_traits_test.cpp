// What real scans have, made on request, and taken by ingest.
#include <algorithm>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "data/cache/case_file.h"
#include "data/ingest/cohort_grid.h"
#include "data/ingest/ingest.h"
#include "data/ingest/ingest_case.h"
#include "data/nifti/nifti.h"
#include "data/nifti/orientation.h"
#include "data/phantom/phantom.h"

namespace lacuna::data {
namespace {

using ::testing::HasSubstr;

constexpr Extent kExtent{20, 28, 24};

class PhantomTraitsTest : public testing::Test {
 protected:
  PhantomTraitsTest() {
    options_.cases = 3;
    options_.extent = kExtent;
  }
  Path make(const std::string& name) {
    Progress progress("phantom", "cases", options_.cases, ProgressStyle::kQuiet);
    write_phantom(posix_file_system(), folder_ / name, options_, progress);
    return folder_ / name;
  }
  Cohort take(const std::string& name) {
    IngestOptions ingest_options;
    ingest_options.input = make(name);
    ingest_options.output = folder_ / (name + "-cache");
    ingest_options.progress = ProgressStyle::kQuiet;
    const Cohort cohort = ingest(ingest_options, posix_file_system()).cohort;
    EXPECT_TRUE(cohort.refused.empty());
    return cohort;
  }
  static std::vector<float> image(const Cohort& cohort, int i, int modality) {
    std::vector<float> values(20 * 28 * 24);
    CaseFile(cohort, cohort.cases[static_cast<std::size_t>(i)])
        .read_image(modality, {0, 0, 0}, kExtent, values.data());
    return values;
  }
  static std::vector<std::uint8_t> label(const Cohort& cohort, int i) {
    std::vector<std::uint8_t> values(20 * 28 * 24);
    CaseFile(cohort, cohort.cases[static_cast<std::size_t>(i)])
        .read_label({0, 0, 0}, kExtent, values.data());
    return values;
  }
  static Path file(const Path& cohort, int number, const std::string& kind) {
    const std::string id = "BraTS2021_0000" + std::to_string(number);
    return cohort / id / (id + kind + ".nii.gz");
  }

  TemporaryDirectory folder_;
  PhantomOptions options_;
};

TEST_F(PhantomTraitsTest, NegativeVoxelsInsideTheBrainAreKept) {
  const Cohort plain = take("plain");
  options_.traits = parse_phantom_traits({"negative"});
  const Cohort cohort = take("negative");
  const auto before = image(plain, 1, 2), after = image(cohort, 1, 2);
  std::int64_t below = 0;
  for (std::size_t i = 0; i < after.size(); ++i) {
    ASSERT_TRUE(after[i] < 0 ? before[i] > 0 : after[i] == before[i]) << i;
    below += after[i] < 0;
  }
  EXPECT_GT(below, 100);
  EXPECT_LT(CaseFile(cohort, cohort.cases[1]).statistics(2).minimum, 0);
  EXPECT_EQ(CaseFile(cohort, cohort.cases[1]).statistics(2).background, 0);
  EXPECT_EQ(cohort.cases[1].box_extent, plain.cases[1].box_extent);
}

TEST_F(PhantomTraitsTest, LabelsInFloat64AreTheSameLabels) {
  const Cohort plain = take("plain");
  options_.traits = parse_phantom_traits({"float-labels"});
  const Cohort cohort = take("floats");
  const NiftiFile stored(file(folder_ / "floats", 1, "_seg"));
  EXPECT_EQ(stored.header().type, NiftiType::kFloat64);
  const auto values = stored.read<float>();
  EXPECT_TRUE(std::any_of(values.begin(), values.end(),
                          [](float value) { return value > 3 && value < 4; }));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(label(cohort, i), label(plain, i));
}

TEST_F(PhantomTraitsTest, AMaskOfOneValueEverywhereIsTakenAndSpokenOf) {
  options_.traits = parse_phantom_traits({"full-masks"});
  const Cohort cohort = take("full");
  EXPECT_THAT(label(cohort, 1), testing::Each(1));
  EXPECT_EQ(cohort.cases[1].box_extent, kExtent) << "the box holds every labelled voxel";
  EXPECT_NE(cohort.cases[0].box_extent, kExtent);
  const SourceCohort source = scan_source(folder_ / "full", "auto", "");
  EXPECT_TRUE(ingest_case(source.cases[0], *source.profile, {}).remarks.empty());
  const auto remarks = ingest_case(source.cases[1], *source.profile, {}).remarks;
  ASSERT_EQ(remarks.size(), 1u);
  EXPECT_THAT(remarks[0].text, HasSubstr("BraTS2021_00001_seg.nii.gz: no voxel of it"));
}

TEST_F(PhantomTraitsTest, ThickSlicesAreTheGridOfTheCohort) {
  options_.spacing_mm = {5.5, 1, 0.75};
  const Cohort cohort = take("thick");
  ASSERT_TRUE(cohort.grid.has_value());
  EXPECT_EQ(cohort.grid->spacing_mm, (std::array<double, 3>{5.5, 1, 0.75}));
  EXPECT_EQ(cohort.cases[2].spacing_mm, (std::array<double, 3>{5.5, 1, 0.75}));
  EXPECT_EQ(cohort.cases[2].affine[2][2], 5.5);
  const Profile& profile = find_profile("brats2021");
  EXPECT_THAT(unlike_published(profile, *cohort.grid), HasSubstr("voxels of 1 x 0.75 x 5.5 mm"));
  EXPECT_EQ(unlike_published(profile, {"RAS", {1, 1.02, 1}}), "") << "turned, and within 5 %";
  EXPECT_EQ(unlike_published(find_profile("bids"), *cohort.grid), "") << "states no grid";
}

TEST_F(PhantomTraitsTest, FilesOfOtherAxesAreTheSameHeads) {
  options_.spacing_mm = {2, 1, 1.5};  // that an axis of another size would be noticed
  const Cohort plain = take("plain");
  options_.traits = parse_phantom_traits({"mixed-axes"});
  const Cohort cohort = take("mixed");
  const auto codes = [&](int number, const std::string& kind) {
    return axis_codes(read_volume_header(file(folder_ / "mixed", number, kind)).affine());
  };
  EXPECT_EQ(codes(0, "_flair"), "LPS");
  EXPECT_EQ(codes(0, "_t1"), "RAS") << "within a case";
  EXPECT_EQ(codes(1, "_flair"), "RAS") << "between cases";
  EXPECT_EQ(codes(1, "_seg"), "RAS");
  EXPECT_EQ(cohort.grid->orientation, "LPS");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(label(cohort, i), label(plain, i));
    for (int m = 0; m < 4; ++m) EXPECT_EQ(image(cohort, i, m), image(plain, i, m)) << i << m;
    EXPECT_EQ(cohort.cases[static_cast<std::size_t>(i)].affine,
              plain.cases[static_cast<std::size_t>(i)].affine);
  }
}

TEST_F(PhantomTraitsTest, AreOptionsOfTheCohortAndKnownByName) {
  try {
    parse_phantom_traits({"negatve"});
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("Did you mean negative?"));
  }
  make("one");
  options_.traits.float_labels = true;
  EXPECT_THROW(make("one"), ConfigError) << "other options, the same directory";
  options_.spacing_mm[0] = 0;
  EXPECT_THROW(make("two"), ConfigError);
}

}  // namespace
}  // namespace lacuna::data
