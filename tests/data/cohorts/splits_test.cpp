#include "data/cohorts/splits.h"

#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/data/toy_case.h"

namespace lacuna::data {
namespace {

using ::testing::HasSubstr;

// 60 cases of two institutions, 40 high grade and 20 low grade.
std::vector<CaseInfo> sixty() {
  std::vector<CaseInfo> cases;
  for (int i = 0; i < 60; ++i) {
    CaseInfo info;
    info.id = fmt::format("case{:02}", i);
    info.institution = i % 2 == 0 ? "CBICA" : "TCIA01";
    info.grade = i % 3 == 0 ? "LGG" : "HGG";
    info.has_label = true;
    cases.push_back(info);
  }
  return cases;
}

std::string read_message(const std::string& json) {
  TemporaryDirectory folder;
  std::ofstream(folder.path() / "mine.json") << json;
  std::vector<CaseInfo> cases = sixty();
  cases[5].has_label = false;
  try {
    read_splits(folder.path() / "mine.json", cases);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Splits, DealEveryStratumEvenlyOverTheFolds) {
  const auto cases = sixty();
  const Splits splits = make_splits(cases, {5, 1});
  ASSERT_EQ(splits.size(), 6u);
  std::map<std::string, const CaseInfo*> index;
  for (const CaseInfo& info : cases) index[info.id] = &info;
  std::set<std::string> tested;
  for (int k = 0; k < 5; ++k) {
    const auto& parts = splits.at("fold" + std::to_string(k));
    EXPECT_EQ(parts.at("test").size(), 12u);
    EXPECT_EQ(parts.at("validation").size(), 6u);
    EXPECT_EQ(parts.at("meta").size(), 4u);  // a tenth of 42
    EXPECT_EQ(parts.at("train").size(), 38u);
    std::map<std::string, int> strata;
    std::set<std::string> seen;
    for (const auto& [part, ids] : parts) {
      for (const auto& id : ids) EXPECT_TRUE(seen.insert(id).second) << id << " is in two parts";
    }
    for (const auto& id : parts.at("test")) {
      ++strata[index[id]->institution + index[id]->grade];
      tested.insert(id);
    }
    // 20 and 10 cases per stratum over five folds: 4 and 2, to within one.
    EXPECT_NEAR(strata["CBICAHGG"], 4, 1);
    EXPECT_NEAR(strata["TCIA01HGG"], 4, 1);
    EXPECT_NEAR(strata["CBICALGG"], 2, 1);
    EXPECT_NEAR(strata["TCIA01LGG"], 2, 1);
    int low = 0;
    for (const auto& id : parts.at("meta")) low += index[id]->grade == "LGG";
    EXPECT_EQ(low, 2);
  }
  EXPECT_EQ(tested.size(), 60u);
  EXPECT_EQ(splits.at("all").at("train").size(), 55u);
  EXPECT_EQ(splits.at("all").at("meta").size(), 5u);
}

TEST(Splits, DependOnTheSeedAlone) {
  auto cases = sixty();
  const Splits first = make_splits(cases, {5, 1});
  std::reverse(cases.begin(), cases.end());
  EXPECT_EQ(make_splits(cases, {5, 1}), first);
  EXPECT_NE(make_splits(cases, {5, 2}), first);
}

TEST(Splits, SmallCohortsKeepATrainingCase) {
  auto cases = sixty();
  for (const std::size_t count : {1u, 2u, 3u, 5u, 8u}) {
    cases.resize(60);
    std::vector<CaseInfo> few(cases.begin(), cases.begin() + static_cast<long>(count));
    for (const auto& [name, parts] : make_splits(few, {5, 1})) {
      EXPECT_FALSE(parts.at("train").empty()) << name << " of " << count;
    }
  }
  EXPECT_THROW(make_splits(cases, {1, 1}), ConfigError);
}

TEST(Splits, FixedListsComeFromJsonAndTextFiles) {
  TemporaryDirectory folder;
  std::ofstream(folder.path() / "train.txt")
      << "HGG/case00\nLGG/case01/\r\n\ncase02\ncase03\ncase04\ncase06\n";
  std::ofstream(folder.path() / "mine.json")
      << R"({"mine": {"train": "train.txt", "validation": ["case10"], "test": ["case11"]}})";
  const Splits splits = read_splits(folder.path() / "mine.json", sixty());
  const auto& parts = splits.at("mine");
  EXPECT_EQ(parts.at("train").size() + parts.at("meta").size(), 6u);
  EXPECT_EQ(parts.at("meta").size(), 1u);
  EXPECT_EQ(parts.at("validation"), std::vector<std::string>{"case10"});
}

TEST(Splits, NameWhatIsWrongWithAFixedList) {
  EXPECT_THAT(read_message(R"({"mine": {"train": ["case00", "nobody", "ghost"]}})"),
              HasSubstr("split mine: cases that the cohort does not have (not in --in, or refused):"
                        " nobody, ghost"));
  EXPECT_THAT(read_message(R"({"mine": {"train": ["case00"], "test": ["case00"]}})"),
              HasSubstr("named twice: case00"));
  EXPECT_THAT(read_message(R"({"mine": {"train": ["case05"]}})"),
              HasSubstr("without a label cannot be in train, validation or meta: case05"));
  EXPECT_THAT(read_message(R"({"mine": {"training": ["case00"]}})"),
              HasSubstr("split mine, part training must be an object of parts"));
  EXPECT_THAT(read_message(R"({"mine": {"train": "absent.txt"}})"), HasSubstr("absent.txt"));
  EXPECT_THAT(read_message("[]"), HasSubstr("the file must be"));
}

}  // namespace
}  // namespace lacuna::data
