#include "data/cohorts/profile.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "base/text/json.h"
#include "data/cohorts/profile_file.h"

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

// Each shipped file is read by the one reader that own files go through.
TEST(Profile, ShippedOnesRecogniseWhatTheyWrite) {
  EXPECT_GE(all_profiles().size(), 30u);
  for (const Profile& profile : all_profiles()) {
    const auto made = profile.make_case(7, "CBICA", "LGG");
    EXPECT_TRUE(profile.matches(made.path)) << profile.name;
    EXPECT_NE(made.path, profile.make_case(9, "CBICA", "LGG").path) << profile.name;
    EXPECT_EQ(made.images.size(), profile.modalities.size());
    EXPECT_FALSE(made.label.empty()) << profile.name;
    for (const Region& region : profile.regions) EXPECT_NE(region.tissues, 0u);
    EXPECT_EQ(&find_profile(profile.name), &profile);
    for (const std::string& alias : profile.aliases) EXPECT_EQ(&find_profile(alias), &profile);
  }
}

TEST(Profile, TellsPatientVisitAndGrade) {
  const auto told = [](const char* profile, const char* path) {
    const auto parts = find_profile(profile).parse(path);
    EXPECT_TRUE(parts) << path;
    return *parts;
  };
  const auto gli = told("brats2024", "data/BraTS-GLI-00005-101");
  EXPECT_EQ(gli.at("patient"), "BraTS-GLI-00005");
  EXPECT_EQ(gli.at("visit"), "101");
  EXPECT_EQ(gli.at("root"), "data");
  // The same name below both grades is two cases.
  const auto old = told("brats2015", "BRATS2015_Training/LGG/brats_tcia_pat299_0002");
  EXPECT_EQ(old.at("id"), "LG_brats_tcia_pat299_0002");
  EXPECT_EQ(old.at("full_patient"), "LG_brats_tcia_pat299");
  EXPECT_EQ(old.at("grade"), "LGG");
  EXPECT_EQ(told("brats2015", "HGG/brats_2013_pat0001_1").at("visit"), "1");
  EXPECT_EQ(told("ucsf-pdgm", "UCSF-PDGM-0004_nifti").at("id"), "UCSF-PDGM-0004");
  EXPECT_EQ(told("ucsf-pdgm", "UCSF-PDGM-0429_FU003d_nifti").at("id"), "UCSF-PDGM-0429_FU003d");
  EXPECT_EQ(told("brats2024-men-rt", "x/BraTS-MEN-RT-0012-1").at("patient"), "BraTS-MEN-RT-0012");
  EXPECT_EQ(told("bids", "in/sub-01/ses-2").at("id"), "sub-01_ses-2");
  EXPECT_EQ(told("bids", "in/sub-01").at("id"), "sub-01");
  EXPECT_FALSE(find_profile("bids").matches("in/derivatives/x/sub-01"));
}

TEST(FilePattern, FillsGapsAndTakesSeparatorsAlong) {
  EXPECT_EQ(fill_in("{p}_{v}", {{"p", "A"}, {"v", "2"}}), "A_2");
  EXPECT_EQ(fill_in("{p}_{v}", {{"p", "A"}, {"v", ""}}), "A");
  EXPECT_EQ(fill_in("/d/{p}/{v}/x", {{"p", "A"}, {"v", ""}}), "/d/A/x");
  EXPECT_EQ(fill_in("x{n:04}", {{"n", "12"}}), "x0012");
  EXPECT_THROW(fill_in("{n", {{"n", "1"}}), ConfigError);
  EXPECT_THROW(fill_in("{n}", {}), ConfigError);
  EXPECT_THROW(fill_in("{n:x}", {{"n", "1"}}), ConfigError);
  EXPECT_TRUE(fits("*MR_T1.*/*MR_T1.*", "VSD.Brain.XX.O.MR_T1.54/VSD.Brain.XX.O.MR_T1.54"));
  EXPECT_FALSE(fits("*MR_T1.*", "VSD.Brain.XX.O.MR_T1c.54"));
  EXPECT_FALSE(fits("a*b", "a/b"));
  EXPECT_TRUE(fits("a*bc*", "abcbc"));
  EXPECT_TRUE(fits("**a", "a"));
  EXPECT_EQ(without_stars("anat/x*_ce-*_T1w"), "anat/x_ce-1_T1w");
}

TEST(Profile, FindsInstitutionAndGradeWhereTheDataSetKeepsThem) {
  const Profile& old = find_profile("brats2018");
  EXPECT_EQ(old.parse("HGG/Brats18_TCIA09_141_1")->at("institution"), "TCIA09");
  EXPECT_EQ(old.parse("Brats18_2013_10_1")->at("institution"), "2013");
  EXPECT_EQ(find_profile("brats2020").parse("BraTS20_Training_001")->at("institution"), "");
  EXPECT_EQ(old.case_directory({"Brats18_2013_10_1", "2013", "LGG"}), "LGG/Brats18_2013_10_1");
  EXPECT_FALSE(old.make_table({}));
  const auto table = find_profile("fets2022").make_table({{"FeTS2022_00000", "3", ""}});
  EXPECT_EQ(table->file, "partitioning_1.csv");
  EXPECT_EQ(table->text, "Partition_ID,Subject_ID\n3,FeTS2022_00000\n");
}

class ProfileFileTest : public ::testing::Test {
 protected:
  ProfileFileTest() : json_(Json::parse(profile_text("brats2021"))) { json_["name"] = "mine"; }

  std::string message() {
    std::ofstream(folder_ / "mine.json") << json_.dump();
    return message_of([&] { read_profile(folder_ / "mine.json"); });
  }

  TemporaryDirectory folder_;
  Json json_;
};

TEST_F(ProfileFileTest, IsReadAsTheShippedOnesAre) {
  json_["case"] = {{"match", "(P\\d+)_(v\\d)"}, {"groups", {"patient", "visit"}}};
  json_["values"] = {{"7", "tumour"}};
  json_["regions"] = {{"GTV", {"tumour"}}};
  EXPECT_THAT(message(), HasSubstr("phantom.case"));  // its case is not named P1_v1
  json_.erase("phantom");
  EXPECT_EQ(message(), "no error");
  const Profile& profile = find_profile((folder_ / "mine.json").string());
  EXPECT_EQ(profile.parse("x/P7_v2")->at("patient"), "P7");
  EXPECT_EQ(profile.parse("x/P7_v2")->at("id"), "P7_v2");
  EXPECT_EQ(profile.tissue(7), Tissue::kTumour);
  EXPECT_EQ(profile.modalities, (std::vector<std::string>{"FLAIR", "T1", "T1c", "T2"}));
  EXPECT_FALSE(profile.matches("x/P7"));
}

TEST_F(ProfileFileTest, ContradictionsAreNamed) {
  const Json good = json_;
  const auto with = [&](const std::string& key, const Json& value) {
    json_ = good;
    json_[key] = value;
    return message();
  };
  EXPECT_THAT(with("label", {"{id}_t1"}), HasSubstr("\"label\" is the file of T1"));
  EXPECT_THAT(with("images", {{"T1", "{id}_a"}, {"T2", "{id}_a"}}), HasSubstr("the same file"));
  EXPECT_THAT(with("images", {{"T1", "{id}_a.nii.gz"}}), HasSubstr("endings are not written"));
  EXPECT_THAT(with("images", {{"T1", "{site}_a"}}), HasSubstr("{site}"));
  EXPECT_THAT(with("images", {{"T1", "{id}#x"}}), HasSubstr("number of a channel"));
  EXPECT_THAT(with("values", {{"0", "oedema"}}), HasSubstr("from 1 to 255"));
  EXPECT_THAT(with("values", {{"1", "edema"}}), HasSubstr("Did you mean oedema?"));
  EXPECT_THAT(with("regions", {{"RC", {"resection"}}}),
              HasSubstr("holds resection, which no label value stands for"));
  EXPECT_THAT(with("case", {{"match", "BraTS2021_(\\d{5})"}}), HasSubstr("has 0 names"));
  EXPECT_THAT(with("case", {{"match", "BraTS2021_(\\d{5}"}}), HasSubstr("no regular expression"));
  EXPECT_THAT(with("case", {{"match", "x"}, {"unit", "file"}}), HasSubstr("case.id"));
  EXPECT_THAT(with("case", {{"match", "x"}, {"id", "{patient}"}}), HasSubstr("{patient}"));
  EXPECT_THAT(with("imagse", Json::object()), HasSubstr("Did you mean \"images\"?"));
  EXPECT_THAT(with("version", 2), HasSubstr("\"version\" must be 1"));
  EXPECT_THAT(with("name", "brats2020"), HasSubstr("name of a shipped profile"));
  EXPECT_THAT(with("name", "My profile"), HasSubstr("lower-case"));
  EXPECT_THAT(with("extends", "brats2012"), HasSubstr("not a shipped profile"));
  EXPECT_THAT(with("grids", {{{"axes", "LLS"}}}), HasSubstr("three letters"));
  EXPECT_THAT(with("modalities", {"T1"}), HasSubstr("does not name"));
  EXPECT_THAT(message_of([&] { read_profile(folder_ / "none.json"); }), HasSubstr("no such"));
}

TEST(FindProfile, NamesTheNearest) {
  EXPECT_THAT(message_of([] { find_profile("brats2081"); }), HasSubstr("Did you mean brats"));
}

}  // namespace
}  // namespace lacuna::data
