#include "data/cohorts/split_lists.h"

#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"

namespace lacuna::data {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using Ids = std::vector<std::string>;

class SplitListsTest : public ::testing::Test {
 protected:
  SplitListsTest() {
    for (int i = 0; i < 20; ++i) add(fmt::format("case{:02}", i));
    cases_[5].has_label = false;
  }

  void add(const std::string& id, const std::string& patient = "") {
    CaseInfo info;
    info.id = id;
    info.patient = patient.empty() ? id : patient;
    info.has_label = true;
    info.available = 0b1111;
    cases_.push_back(info);
  }
  void write(const std::string& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  SplitLists read(const std::string& name) {
    options_.path = folder_ / name;
    return read_splits(options_, cases_, modalities_);
  }
  std::string message(const std::string& name, const std::string& text = "") {
    if (!text.empty()) write(name, text);
    try {
      read(name);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryDirectory folder_;
  std::vector<CaseInfo> cases_;
  ModalitySet modalities_{{"FLAIR", "T1", "T1c", "T2"}};
  SplitListOptions options_;
};

TEST_F(SplitListsTest, OwnListsComeFromJsonAndTextFiles) {
  write("train.txt", "HGG/case00\nLGG/case01/\r\n\ncase02\ncase03\ncase04\ncase06\n");
  write("mine.json",
        R"({"mine": {"train": "train.txt", "validation": ["case10"], "test": ["case11"]}})");
  const SplitLists lists = read("mine.json");
  const auto& parts = lists.splits.at("mine");
  EXPECT_EQ(parts.at("train").size() + parts.at("meta").size(), 6u);
  EXPECT_EQ(parts.at("meta").size(), 1u);
  EXPECT_EQ(parts.at("validation"), Ids{"case10"});
}

TEST_F(SplitListsTest, NameWhatIsWrong) {
  EXPECT_THAT(message("a.json", R"({"mine": {"train": ["case00", "nobody", "ghost"]}})"),
              HasSubstr("split mine: cases that the cohort does not have (not in --in, or refused):"
                        " nobody, ghost"));
  EXPECT_THAT(message("a.json", R"({"mine": {"train": ["case00"], "test": ["case00"]}})"),
              HasSubstr("named twice: case00"));
  EXPECT_THAT(message("a.json", R"({"mine": {"train": ["case05"]}})"),
              HasSubstr("without a label cannot be in train, validation or meta: case05"));
  EXPECT_THAT(message("a.json", R"({"mine": {"training": ["case00"]}})"),
              HasSubstr("split mine, part training must be an object of parts"));
  EXPECT_THAT(message("a.json", R"({"mine": {"train": "absent.txt"}})"), HasSubstr("absent.txt"));
  EXPECT_THAT(message("a.json", "[]"), HasSubstr("the file must be"));
  EXPECT_THAT(message("nowhere.json"), HasSubstr("cannot be opened"));
  EXPECT_THAT(message("splits_final.pkl", "x"), HasSubstr("json.dump"));
  EXPECT_THAT(message("train.txt", "case00\n"), HasSubstr("does not say of what"));
  write("empty/readme.md", "nothing");
  EXPECT_THAT(message("empty"), HasSubstr("holds no list"));
}

TEST_F(SplitListsTest, APatientInTwoPartsIsRefusedUnlessAskedFor) {
  add("p-000", "p");
  add("p-001", "p");
  EXPECT_THAT(message("a.json", R"({"mine": {"train": ["p-000"], "test": ["p-001", "case00"]}})"),
              AllOf(HasSubstr("1 patients"), HasSubstr("p (p-001, p-000) in test and train"),
                    HasSubstr("--allow-split-patients")));
  options_.allow_split_patients = true;
  EXPECT_EQ(read("a.json").splits.at("mine").at("train"), Ids{"p-000"});
}

TEST_F(SplitListsTest, MetaTakesWholePatients) {
  Ids train;
  for (int i = 0; i < 6; ++i) {
    for (int v = 0; v < 2; ++v) {
      add(fmt::format("q{}-{}", i, v), fmt::format("q{}", i));
      train.push_back(cases_.back().id);
    }
  }
  write("a.json", fmt::format(R"({{"mine": {{"train": ["{}"]}}}})", fmt::join(train, "\",\"")));
  const SplitLists lists = read("a.json");
  const auto& meta = lists.splits.at("mine").at("meta");
  ASSERT_EQ(meta.size(), 2u);
  EXPECT_EQ(meta[0].substr(0, 2), meta[1].substr(0, 2));
}

TEST_F(SplitListsTest, ReadsNnUnet) {
  const SplitLists lists = [&] {
    write("splits_final.json",
          R"([{"train": ["case00", "case01"], "val": ["case02"]},
              {"train": ["case02", "case01"], "val": ["case00"]}])");
    return read("splits_final.json");
  }();
  EXPECT_EQ(lists.splits.at("fold1").at("test"), Ids{"case00"});
  EXPECT_TRUE(lists.splits.at("fold1").at("validation").empty());
  EXPECT_EQ(lists.splits.at("fold0").at("train"), (Ids{"case00", "case01"}));
  EXPECT_THAT(message("b.json", R"([{"train": ["case00"]}])"), HasSubstr("splits_final.json"));
}

TEST_F(SplitListsTest, ReadsMonai) {
  write("folds.json", R"({"training": [
    {"image": ["T/case00/case00_flair.nii.gz"], "label": "T/case00/case00_seg.nii.gz", "fold": 0},
    {"image": ["T/case01/case01_flair.nii.gz"], "label": "T/case01/case01_seg.nii.gz", "fold": 1},
    {"image": "T/case02_t1.nii.gz", "fold": 1}]})");
  const SplitLists lists = read("folds.json");
  EXPECT_EQ(lists.splits.at("fold0").at("validation"), Ids{"case00"});
  EXPECT_EQ(lists.splits.at("fold0").at("train"), (Ids{"case01", "case02"}));
  EXPECT_EQ(lists.splits.at("fold1").at("validation"), (Ids{"case01", "case02"}));
  write("parts.json",
        R"({"training": [{"image": "case03.nii.gz"}], "test": ["./imagesTs/case05.nii.gz"]})");
  EXPECT_EQ(read("parts.json").splits.at("monai").at("test"), Ids{"case05"});
}

TEST_F(SplitListsTest, ReadsTheThreeSplitsOf2018) {
  write("lists/dataset_split_1.csv", "HGG1_,Training\r\nHGG2_,Validation\r\nLGG1_,Inference\r\n");
  write("lists/dataset_split_2.csv", "HGG1_,Inference\r\nHGG2_,Training\r\nLGG1_,Validation\r\n");
  write("lists/corresponding_naming.csv",
        "name,folder\r\nHGG1,HGG_case00\r\nHGG2,HGG_case01\r\nLGG1,LGG_case02\r\n");
  const SplitLists lists = read("lists");
  EXPECT_EQ(lists.splits.at("split1").at("test"), Ids{"case02"});
  EXPECT_EQ(lists.splits.at("split2").at("test"), Ids{"case00"});
  EXPECT_EQ(lists.splits.at("split2").at("validation"), Ids{"case02"});
  EXPECT_EQ(read("lists/dataset_split_1.csv").splits.at("split1").at("train"), Ids{"case00"});
}

TEST_F(SplitListsTest, ReadsDirectoriesOfNumberedLists) {
  for (int k = 1; k <= 3; ++k) {
    write(fmt::format("l/train{}.txt", k), fmt::format("HGG_case0{}\r\n", k));
    write(fmt::format("l/val{}.txt", k), fmt::format("LG_case1{}_vol.npy\n", k));
    write(fmt::format("l/test{}.txt", k), fmt::format("/data/x/case1{}\n\n", k + 3));
  }
  const SplitLists lists = read("l");
  ASSERT_EQ(lists.splits.size(), 3u);
  EXPECT_EQ(lists.splits.at("split3").at("train"), Ids{"case03"});
  EXPECT_EQ(lists.splits.at("split3").at("validation"), Ids{"case13"});
  EXPECT_EQ(lists.splits.at("split3").at("test"), Ids{"case16"});
  write("s/BraTS20_train.csv", "BraTS_2020_subject_ID\nx/case00\n");
  write("s/BraTS20_val.csv", "BraTS_2020_subject_ID\nx/case01\n");
  EXPECT_EQ(read("s").splits.at("split").at("train"), Ids{"case00"});
}

// An id of 2015 holds its grade: it is found as it is.
TEST_F(SplitListsTest, AGradeThatIsPartOfTheIdStays) {
  add("HG_pat1");
  add("LG_pat1");
  write("l/train.txt", "LG_pat1\n");
  EXPECT_EQ(read("l").splits.at("split").at("train"), Ids{"LG_pat1"});
}

constexpr const char* kMasks =
    "data_name,mask_id,mask,pos_mask_ids\r\n"
    "HG_case00,9,\"[True, True, False, False]\",\"[1, 3, 9]\"\r\n"
    "LG_case01,2,\"[False, False, True, False]\",\"[2]\"\r\n";

TEST_F(SplitListsTest, ReadsTrainingListsWithMissingModalities) {
  write("l/imb_mr2468.csv", kMasks);
  write("l/train.txt", "case00\ncase01\ncase02\n");
  write("l/val.txt", "case10\n");
  write("l/test.txt", "case11\n");
  cases_[0].available = 0b0111;
  const SplitLists lists = read("l");
  const auto& parts = lists.splits.at("imb_mr2468");
  EXPECT_EQ(parts.at("train"), (Ids{"case00", "case01"}));
  EXPECT_EQ(parts.at("test"), Ids{"case11"});
  EXPECT_EQ(parts.at("validation"), Ids{"case10"});
  // FLAIR, T1c, T1, T2 there; FLAIR, T1, T1c, T2 here.
  EXPECT_EQ(lists.available.at("imb_mr2468").at("case00"), 0b0101u);
  EXPECT_EQ(lists.available.at("imb_mr2468").at("case01"), 0b0010u);
  EXPECT_EQ(lists.available.count("split"), 0u);
  EXPECT_EQ(read("l/imb_mr2468.csv").splits.at("imb_mr2468").at("train").size(), 2u);
  // Without a training list of their own the others make no split.
  write("m/imb_mr2468.csv", kMasks);
  write("m/val.txt", "case10\n");
  const SplitLists alone = read("m");
  ASSERT_EQ(alone.splits.size(), 1u);
  EXPECT_EQ(alone.splits.at("imb_mr2468").at("validation"), Ids{"case10"});
  cases_[1].available = 0b1000;
  EXPECT_THAT(message("l/imb_mr2468.csv"),
              AllOf(HasSubstr("case01 is left T1"), HasSubstr("has only T2")));
}

TEST_F(SplitListsTest, AsksForTheOrderOfMasks) {
  write("test15splits.csv", "case,mask\ncase03,\"[False, False, False, True]\"\n");
  EXPECT_THAT(message("test15splits.csv"), HasSubstr("--mask-order FLAIR,T1c,T1,T2"));
  options_.mask_order = {"T1c", "T1", "T2", "FLAIR"};
  const SplitLists lists = read("test15splits.csv");
  EXPECT_EQ(lists.splits.at("test15splits").at("test"), Ids{"case03"});
  EXPECT_EQ(lists.available.at("test15splits").at("case03"), 0b0001u);
  EXPECT_THAT(message("m.csv", "case,mask\ncase03,\"[False, True]\"\n"),
              HasSubstr("has 2 values, the order T1c,T1,T2,FLAIR has 4"));
  EXPECT_THAT(message("n.csv", "case,mask\ncase03,\"[0 0 0 0]\"\n"),
              HasSubstr("leaves no modality"));
}

}  // namespace
}  // namespace lacuna::data
