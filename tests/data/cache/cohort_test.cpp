#include "data/cache/cohort.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/hash.h"
#include "base/text/json.h"
#include "tests/data/toy_case.h"

namespace lacuna::data {
namespace {

using ::testing::HasSubstr;

class CohortTest : public ::testing::Test {
 protected:
  CohortTest() : toy_("none", false), cohort_(toy_.write(folder_.path())) {}

  std::string text() const {
    std::ostringstream out;
    out << std::ifstream(folder_.path() / "cohort.json").rdbuf();
    return out.str();
  }
  void replace(const std::string& from, const std::string& to) const {
    std::string changed = text();
    changed.replace(changed.find(from), from.size(), to);
    std::ofstream(folder_.path() / "cohort.json") << changed;
  }
  std::string message() const {
    try {
      open_cohort(folder_.path());
    } catch (const DataError& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryDirectory folder_;
  ToyCase toy_;
  Cohort cohort_;
};

TEST_F(CohortTest, ComesBackAsItWasWritten) {
  const Cohort read = open_cohort(folder_.path());
  ASSERT_EQ(read.cases.size(), 1u);
  const CaseInfo& info = read.cases[0];
  EXPECT_EQ(info.id, "toy");
  EXPECT_EQ(info.institution, "TCIA01");
  EXPECT_EQ(info.grade, "HGG");
  EXPECT_EQ(info.available, 0b1011u);
  EXPECT_EQ(info.full_extent, (Extent{44, 50, 56}));
  EXPECT_EQ(info.box_offset, (Extent{3, 4, 5}));
  EXPECT_EQ(info.spacing_mm[2], 1.5);
  EXPECT_EQ(info.affine[1][1], 1);
  EXPECT_TRUE(info.has_label);
  EXPECT_EQ(info.bytes, std::filesystem::file_size(folder_.path() / "cases/toy.h5"));
  EXPECT_EQ(read.regions[2].tissues, 0b1110u);
  EXPECT_EQ(read.fingerprint, cohort_.fingerprint);
  EXPECT_EQ(read.part("all", "train"), std::vector<int>{0});
}

TEST_F(CohortTest, KnowsPatientsListsAndWhatIsAway) {
  CaseInfo& info = cohort_.cases[0];
  info.patient = "T";
  info.visit = "3";
  cohort_.splits["mine"]["train"] = {"toy"};
  cohort_.departed["all"]["train"] = {"lost"};
  cohort_.listed = {"mine"};
  cohort_.split_available["mine"]["toy"] = 0b0010;
  cohort_.deal = {4, 7};
  EXPECT_TRUE(write_cohort(posix_file_system(), cohort_));
  const Cohort read = open_cohort(folder_.path());
  EXPECT_EQ(read.version, 2);
  EXPECT_EQ(read.cases[0].patient, "T");
  EXPECT_EQ(read.cases[0].visit, "3");
  EXPECT_EQ(read.departed, cohort_.departed);
  EXPECT_EQ(read.listed, cohort_.listed);
  EXPECT_EQ(read.split_available, cohort_.split_available);
  EXPECT_EQ(read.deal.folds, 4);
  EXPECT_EQ(read.deal.seed, 7u);
  EXPECT_TRUE(read.has_part("mine", "train"));
  EXPECT_FALSE(read.has_part("mine", "test"));
  EXPECT_EQ(read.index_of("toz"), -1);
  EXPECT_EQ(read.fingerprint, cohort_.fingerprint);
}

// As version 1 wrote it: no patients, no record of what came from a list.
TEST_F(CohortTest, ReadsVersion1) {
  Json json = Json::parse(text());
  for (Json& item : json["cases"]) {
    item.erase("patient");
    item.erase("visit");
  }
  for (const char* key : {"departed", "listed", "split_available", "deal", "checksum"}) {
    json.erase(key);
  }
  json["version"] = 1;
  json["a key of a later program"] = 1;  // what is not known is passed over
  json["splits"]["mine"]["train"] = {"toy"};
  json["checksum"] = hash_hex(std::string_view(json.dump()));
  std::ofstream(folder_.path() / "cohort.json") << json.dump(1);
  const Cohort read = open_cohort(folder_.path());
  EXPECT_EQ(read.version, 1);
  EXPECT_EQ(read.cases[0].patient, "toy");
  EXPECT_EQ(read.listed, std::set<std::string>{"mine"});
  EXPECT_EQ(read.deal.folds, 0);
  EXPECT_EQ(read.fingerprint, cohort_.fingerprint);
}

TEST_F(CohortTest, WritesOnlyWhatChanged) {
  EXPECT_FALSE(write_cohort(posix_file_system(), cohort_));
  const std::string before = cohort_.fingerprint;
  cohort_.cases[0].checksum = "0";
  EXPECT_TRUE(write_cohort(posix_file_system(), cohort_));
  EXPECT_NE(cohort_.fingerprint, before);
}

TEST_F(CohortTest, RefusesOtherVersionsDamageAndStrangers) {
  const std::string good = text();
  replace("\"version\": 2", "\"version\": 3");
  EXPECT_THAT(message(), HasSubstr("cache format version 3, this program reads versions 1 to 2"));
  std::ofstream(folder_.path() / "cohort.json") << good;
  replace("\"bytes\": ", "\"bytes\": 1");
  EXPECT_THAT(message(), HasSubstr("changed after it was written"));
  std::ofstream(folder_.path() / "cohort.json") << good.substr(0, good.size() / 2);
  EXPECT_THAT(message(), HasSubstr("not the description of a cohort, or damaged"));
  std::filesystem::remove(folder_.path() / "cohort.json");
  EXPECT_THAT(message(), HasSubstr("lacuna ingest --in"));
}

TEST_F(CohortTest, NamesUnknownSplitsPartsAndCases) {
  const auto part_message = [&](const std::string& split, const std::string& part) {
    try {
      cohort_.part(split, part);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(part_message("al", "train"), HasSubstr("known: all. Did you mean all?"));
  EXPECT_THAT(part_message("all", "dev"), HasSubstr("has no part \"dev\"; it has: train"));
  cohort_.splits["all"]["train"] = {"ghost"};
  EXPECT_THAT(part_message("all", "train"), HasSubstr("unknown case ghost"));
  EXPECT_THROW(write_cohort(posix_file_system(), cohort_), DataError);
}

}  // namespace
}  // namespace lacuna::data
