#include "data/cohorts/splits.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace lacuna::data {
namespace {

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

// With one permutation for all strata, case n of one institution would always share its fold with
// case n of the next.
TEST(Splits, StrataAreShuffledApart) {
  std::vector<CaseInfo> cases;
  for (const char* institution : {"A", "B"}) {
    for (int i = 0; i < 25; ++i) {
      CaseInfo info;
      info.id = fmt::format("{}{:02}", institution, i);
      info.institution = institution;
      info.has_label = true;
      cases.push_back(info);
    }
  }
  std::map<std::string, int> fold_of;
  const Splits splits = make_splits(cases, {5, 1});
  for (int k = 0; k < 5; ++k) {
    for (const auto& id : splits.at(fmt::format("fold{}", k)).at("test")) fold_of[id] = k;
  }
  int together = 0;
  for (int i = 0; i < 25; ++i) {
    together += fold_of.at(fmt::format("A{:02}", i)) == fold_of.at(fmt::format("B{:02}", i));
  }
  EXPECT_LT(together, 15);  // 5 expected by chance, 25 with one permutation
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

// `patients` of `visits` scans each, named as BraTS 2024 names them.
std::vector<CaseInfo> visited(int patients, int visits, int first = 0) {
  std::vector<CaseInfo> cases;
  for (int p = first; p < first + patients; ++p) {
    for (int v = 0; v < visits; ++v) {
      CaseInfo info;
      info.patient = fmt::format("BraTS-GLI-{:05}", p);
      info.visit = fmt::format("{}", 100 + v);
      info.id = info.patient + "-" + info.visit;
      info.institution = p % 3 == 0 ? "A" : "B";
      info.has_label = true;
      cases.push_back(info);
    }
  }
  return cases;
}

int torn(const Splits& splits, const std::vector<CaseInfo>& cases) {
  std::size_t count = 0;
  for (const auto& [name, parts] : splits) count += split_patients(parts, cases).size();
  return static_cast<int>(count);
}

TEST(Splits, KeepTheVisitsOfAPatientTogether) {
  auto cases = visited(13, 3);
  cases[4].institution = "C";  // a visit elsewhere does not tear the patient
  cases[7].has_label = false;
  const Splits splits = make_splits(cases, {5, 1});
  EXPECT_EQ(torn(splits, cases), 0);
  std::set<std::string> tested;
  for (int k = 0; k < 5; ++k) {
    const auto& parts = splits.at("fold" + std::to_string(k));
    for (const auto& id : parts.at("test")) EXPECT_TRUE(tested.insert(id).second) << id;
    EXPECT_FALSE(parts.at("meta").empty());
    EXPECT_FALSE(parts.at("validation").empty());
    std::size_t all = 0;
    for (const auto& [part, ids] : parts) all += ids.size();
    EXPECT_EQ(all, 38u);  // every labelled case, once
  }
  EXPECT_EQ(tested.size(), 38u);
}

TEST(Splits, OnePatientHasNoFolds) {
  const Splits splits = make_splits(visited(1, 4), {5, 1});
  EXPECT_EQ(splits.size(), 1u);
  EXPECT_EQ(splits.at("all").at("train").size(), 4u);
}

// Every case of `before` is in `after` where it was.
void expect_kept(const Splits& before, const Splits& after) {
  for (const auto& [name, parts] : before) {
    for (const auto& [part, ids] : parts) {
      const auto& now = after.at(name).at(part);
      for (const auto& id : ids) {
        EXPECT_TRUE(std::find(now.begin(), now.end(), id) != now.end())
            << id << " left " << name << "/" << part;
      }
    }
  }
}

TEST(Splits, GrowWithoutMovingAnybody) {
  const auto few = visited(11, 2);
  const Splits before = make_splits(few, {5, 3});
  auto more = visited(37, 3);  // the eleven come back with a third visit each
  const Splits after = grow_splits(before, {}, more);
  expect_kept(before, after);
  EXPECT_EQ(torn(after, more), 0);
  std::map<std::string, int> tested;
  for (int k = 0; k < 5; ++k) {
    const auto& parts = after.at("fold" + std::to_string(k));
    std::size_t all = 0;
    for (const auto& [part, ids] : parts) all += ids.size();
    EXPECT_EQ(all, 37u * 3);
    EXPECT_NEAR(static_cast<double>(parts.at("test").size()), 37 * 3 / 5., 6) << k;
    EXPECT_GE(parts.at("validation").size(), 9u);  // a tenth of the patients
    for (const auto& id : parts.at("test")) ++tested[id];
  }
  EXPECT_EQ(tested.size(), 37u * 3);  // each in one fold's test
  for (const auto& [id, count] : tested) EXPECT_EQ(count, 1) << id;
  // Growing by nothing changes nothing, and the order of the cases does not matter.
  EXPECT_EQ(grow_splits(after, {}, more), after);
  std::reverse(more.begin(), more.end());
  EXPECT_EQ(grow_splits(before, {}, more), after);
}

TEST(Splits, ListsDoNotGrow) {
  const auto few = visited(4, 1);
  Splits before = make_splits(few, {2, 1});
  before["mine"]["train"] = {few[0].id};
  const Splits after = grow_splits(before, {"mine"}, visited(9, 2));
  EXPECT_EQ(after.at("mine"), before.at("mine"));
  EXPECT_EQ(after.at("all").at("train").size() + after.at("all").at("meta").size(), 18u);
}

TEST(Splits, RememberWhoIsAway) {
  auto cases = visited(6, 1);
  const Splits before = make_splits(cases, {3, 1});
  const std::string gone = cases[2].id, unlabelled = cases[4].id;
  cases[4].has_label = false;
  cases.erase(cases.begin() + 2);
  const Splits away = departed_cases(before, cases);
  for (const auto& [name, parts] : away) {
    for (const auto& [part, ids] : parts) {
      for (const auto& id : ids) {
        EXPECT_TRUE(id == gone || (id == unlabelled && part != "test")) << id << " in " << part;
      }
    }
  }
  EXPECT_EQ(away.at("all").at("train").size() + (away.at("all").count("meta") > 0), 2u);
  const Splits now = grow_splits(before, {}, cases);
  for (const auto& [part, ids] : now.at("fold0")) {
    EXPECT_EQ(std::count(ids.begin(), ids.end(), gone), 0);
  }
}

}  // namespace
}  // namespace lacuna::data
