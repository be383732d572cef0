#include "worker/run/seen_cases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/cache/case_file.h"
#include "tests/worker/toy_run.h"
#include "worker/setup/run_setup.h"

namespace lacuna::worker {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class SeenCasesTest : public ::testing::Test {
 protected:
  static const fs::path& run() {
    static const TemporaryDirectory folder;
    static const fs::path path = [] {
      EXPECT_EQ(train(toy_config(toy_cache()), folder / "run", toy_hooks()).code, ExitCode::kDone);
      return folder / "run";
    }();
    return path;
  }
  static fs::path checkpoint(const fs::path& of) { return of / "checkpoints/step-00000012"; }

  const data::Cohort cohort_ = data::open_cohort(toy_cache());
  TemporaryDirectory folder_;
};

TEST_F(SeenCasesTest, ARunSaysWhatItLearnsFrom) {
  const Json parts = read_json(run() / "cases.json").at("parts");
  EXPECT_EQ(parts.at("train").size(), 4u);
  EXPECT_EQ(parts.at("meta").size(), 1u);
  EXPECT_EQ(parts.at("validation").size(), 1u);  // validate.cases: the others were not looked at
  const SeenCases seen = read_seen_cases(checkpoint(run()), toy_config(toy_cache()), cohort_);
  EXPECT_TRUE(seen.known);
  const auto train = cohort_.part("toy", "train"), validation = cohort_.part("toy", "validation");
  EXPECT_EQ(find_contact(seen, cohort_, train).cases.at("train"), 4);
  EXPECT_THAT(find_contact(seen, cohort_, validation).note(3),
              HasSubstr("1 of 3 cases chose the checkpoint"));
  EXPECT_EQ(find_contact(seen, cohort_, {validation[1], validation[2]}).note(2), "");
}

TEST_F(SeenCasesTest, AnotherVisitOfAPatientIsContact) {
  const SeenCases seen = read_seen_cases(checkpoint(run()), toy_config(toy_cache()), cohort_);
  data::Cohort other = cohort_;
  const int trained = cohort_.part("toy", "train")[0];
  data::CaseInfo visit = cohort_.cases[static_cast<std::size_t>(trained)];
  visit.id += "-later";
  other.cases.push_back(visit);
  const Contact contact = find_contact(seen, other, {static_cast<int>(other.cases.size()) - 1});
  EXPECT_EQ(contact.count(), 1);
  EXPECT_THAT(contact.examples.at(0), HasSubstr("another visit of its patient: train"));
  EXPECT_THAT(contact.note(1), HasSubstr("other visits of patients"));
}

// A run of a version that kept no list.
TEST_F(SeenCasesTest, WithoutAListTheSplitOfTheSameCohortCounts) {
  fs::copy(run(), folder_ / "old", fs::copy_options::recursive);
  fs::remove(folder_ / "old/cases.json");
  const RunConfig config = toy_config(toy_cache());
  const SeenCases seen = read_seen_cases(checkpoint(folder_ / "old"), config, cohort_);
  EXPECT_TRUE(seen.known);
  EXPECT_FALSE(seen.exact);
  EXPECT_EQ(find_contact(seen, cohort_, cohort_.part("toy", "train")).count(), 4);
  data::Cohort other = cohort_;
  other.fingerprint = "0";
  EXPECT_FALSE(read_seen_cases(checkpoint(folder_ / "old"), config, other).known);
}

TEST_F(SeenCasesTest, WhatTheFirstWeightsHaveSeenCounts) {
  RunConfig config = toy_config(toy_cache());
  config.init_weights = checkpoint(run()) / "model.safetensors";
  const Json cases = describe_seen_cases(config, cohort_, {});
  EXPECT_EQ(cases.at("parts").at("init").size(), 6u);
  EXPECT_TRUE(cases.at("parts").at("validation").empty());
}

TEST_F(SeenCasesTest, ASplitMayLeaveTrainingFewerModalities) {
  fs::copy(toy_cache(), folder_ / "cache", fs::copy_options::recursive);
  data::Cohort cohort = data::open_cohort(folder_ / "cache");
  const int first = cohort.part("toy", "train")[0], held = cohort.part("toy", "validation")[0];
  for (const int index : {first, held}) {
    cohort.split_available["toy"][cohort.cases[static_cast<std::size_t>(index)].id] = 0b0101;
  }
  data::write_cohort(posix_file_system(), cohort);
  const data::Cohort open = open_training_cohort(toy_config(folder_ / "cache"));
  EXPECT_EQ(open.cases[static_cast<std::size_t>(first)].available, 0b0101u);
  EXPECT_EQ(open.cases[static_cast<std::size_t>(held)].available, 0b1111u);  // not for training
  const data::CaseFile file(open, open.cases[static_cast<std::size_t>(first)]);
  EXPECT_EQ(file.info().available, 0b0101u);
}

}  // namespace
}  // namespace lacuna::worker
