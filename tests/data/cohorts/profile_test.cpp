#include "data/cohorts/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace lacuna::data {
namespace {

using ::testing::HasSubstr;

template <typename Call>
std::string message_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// File names as the challenges publish them.
TEST(Profile, NamesFilesLikeThePublishedDataSets) {
  const Profile& old = find_profile("brats2018");
  EXPECT_EQ(old.image_file("Brats18_TCIA09_141_1", 0), "Brats18_TCIA09_141_1_flair.nii.gz");
  EXPECT_EQ(old.image_file("Brats18_TCIA09_141_1", 2), "Brats18_TCIA09_141_1_t1ce.nii.gz");
  EXPECT_EQ(old.segmentation_file("Brats18_TCIA09_141_1"), "Brats18_TCIA09_141_1_seg.nii.gz");
  const Profile& recent = find_profile("brats2023");
  EXPECT_EQ(recent.image_file("BraTS-GLI-00000-000", 0), "BraTS-GLI-00000-000-t2f.nii.gz");
  EXPECT_EQ(recent.image_file("BraTS-GLI-00000-000", 1), "BraTS-GLI-00000-000-t1n.nii.gz");
}

TEST(Profile, MapsLabelsOfEachYear) {
  EXPECT_EQ(find_profile("brats2021").tissue(4), Tissue::kEnhancing);
  EXPECT_EQ(find_profile("brats2021").tissue(3), std::nullopt);
  EXPECT_EQ(find_profile("brats2023").tissue(3), Tissue::kEnhancing);
  EXPECT_EQ(find_profile("brats2023").tissue(4), std::nullopt);
  EXPECT_EQ(find_profile("brats2024").tissue(4), Tissue::kResection);
  EXPECT_EQ(find_profile("brats2024").regions.back().name, "RC");
  EXPECT_EQ(find_profile("fets2022").value(Tissue::kEnhancing), 4);
  EXPECT_EQ(find_profile("fets2022").value(Tissue::kResection), 0);
}

TEST(Profile, RecognisesWhatItWritesAndNothingElse) {
  for (const Profile& profile : all_profiles()) {
    const std::string id = profile.make_id(7, "TCIA02");
    for (const Profile& other : all_profiles()) {
      EXPECT_EQ(other.matches(id), other.name == profile.name) << id << " as " << other.name;
    }
    EXPECT_NE(id, profile.make_id(8, "TCIA02"));
  }
}

TEST(Profile, FindsInstitutionAndGradeWhereTheDataSetKeepsThem) {
  const Profile& old = find_profile("brats2018");
  EXPECT_EQ(old.institution_in("Brats18_TCIA09_141_1"), "TCIA09");
  EXPECT_EQ(old.institution_in("Brats18_2013_10_1"), "2013");
  EXPECT_EQ(find_profile("brats2020").institution_in("BraTS20_Training_001"), "");
  EXPECT_EQ(old.case_directory({"Brats18_2013_10_1", "2013", "LGG"}), "LGG/Brats18_2013_10_1");
  EXPECT_FALSE(old.make_table({}));
  const auto table = find_profile("fets2022").make_table({{"FeTS2022_00000", "3", ""}});
  EXPECT_EQ(table->file, "partitioning_1.csv");
  EXPECT_EQ(table->text, "Partition_ID,Subject_ID\n3,FeTS2022_00000\n");
}

TEST(DetectProfile, SaysWhy) {
  const DetectedProfile found = detect_profile({"BraTS2021_00000", "notes"}, "in");
  EXPECT_EQ(found.profile->name, "brats2021");
  EXPECT_EQ(found.why, "1 of 2 case directories are named like BraTS 2021 (BraTS2021_00000)");
}

TEST(DetectProfile, RefusesUnknownAndMixedDirectories) {
  EXPECT_THAT(message_of([] { detect_profile({"patient1"}, "in"); }), HasSubstr("--profile"));
  EXPECT_THAT(message_of([] {
                detect_profile({"BraTS2021_00000", "FeTS2022_00000"}, "in");
              }),
              HasSubstr("several data sets: 1 of brats2021 (BraTS2021_00000), 1 of fets2022"));
  EXPECT_THAT(message_of([] { find_profile("brats2081"); }), HasSubstr("Did you mean brats"));
}

}  // namespace
}  // namespace lacuna::data
