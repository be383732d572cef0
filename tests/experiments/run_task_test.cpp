#include "experiments/run_task.h"

#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text/json.h"
#include "experiments/run_journal.h"
#include "tests/experiments/toy_program.h"
#include "tests/experiments/toy_sweep.h"

namespace lacuna::experiments {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using tests::toy_plan;
using tests::toy_resolver;
using tests::ToyProgram;

class RunTask : public ::testing::Test {
 protected:
  explicit RunTask(const std::string& text = R"({"base": {"method": "unet"}})")
      : plan_(toy_plan(text)), directory_(folder_.path() / "a sweep; $(touch x)") {
    directory_.store(tests::define(text), plan_);
    settings_.program = {program_.path()};
    settings_.busy_seconds = 0;
    settings_.poll_seconds = 0.01;
  }

  ExitCode run(
      const std::function<bool()>& stop = [] { return false; }, std::size_t index = 0) {
    return run_task(directory_, plan_, plan_.runs[index], toy_resolver(), settings_, stop);
  }
  JournalSummary journal(std::size_t index = 0) const {
    return read_journal(directory_.journal(plan_.runs[index].id));
  }

  ToyProgram program_;
  TemporaryDirectory folder_;
  SweepPlan plan_;
  SweepDirectory directory_;
  TaskSettings settings_;
};

TEST_F(RunTask, TrainsEvaluatesAndWritesDownTheResult) {
  EXPECT_EQ(run(), ExitCode::kDone);
  const JournalSummary after = journal();
  EXPECT_TRUE(after.done);
  EXPECT_FALSE(after.failed());
  EXPECT_EQ(after.dice, 0.625);
  EXPECT_EQ(after.step_seconds, 0.5);
  // The run file is the resolved run, and the output of both is kept.
  const std::string& id = plan_.runs[0].id;
  EXPECT_EQ(read_json(directory_.config(id)).at("train").at("steps"), 100);
  std::ifstream log(directory_.log(id));
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(log), {}), "training says hello\n");
}

TEST_F(RunTask, ADoneRunIsLeftAloneUntilItsDirectoryIsDeleted) {
  ASSERT_EQ(run(), ExitCode::kDone);
  EXPECT_EQ(run(), ExitCode::kDone);
  EXPECT_EQ(program_.calls("train"), 1u);
  std::filesystem::remove_all(directory_.run(plan_.runs[0].id) / "eval");
  EXPECT_EQ(run(), ExitCode::kDone);
  EXPECT_EQ(program_.calls("train"), 2u);  // which finds itself finished
  std::filesystem::remove_all(directory_.run(plan_.runs[0].id));
  EXPECT_FALSE(journal().exists);
  EXPECT_EQ(run(), ExitCode::kDone);
  EXPECT_EQ(program_.calls("train"), 3u);
}

TEST_F(RunTask, AFailureKeepsItsCodeAndTheProgramsOwnWords) {
  program_.tell("fail-train", "2");
  EXPECT_EQ(run(), ExitCode::kBadUsage);
  EXPECT_TRUE(journal().failed());
  EXPECT_EQ(journal().code, 2);
  EXPECT_EQ(journal().reason, "no such cache. Ingest it.");
  EXPECT_EQ(program_.calls("eval"), 0u);
  program_.tell("fail-train", "77");
  EXPECT_EQ(run(), ExitCode::kDiverged);
  program_.tell("fail-train", "76");
  EXPECT_EQ(run(), ExitCode::kPeerLost);
  EXPECT_FALSE(journal().failed());  // the next start may do better
  program_.untell("fail-train");
  program_.tell("fail-eval", "1");
  EXPECT_EQ(run(), ExitCode::kError);
  EXPECT_THAT(journal().reason, HasSubstr("evaluation: "));
}

TEST_F(RunTask, ARequestToStopReachesTheTrainingAndTheNextStartGoesOn) {
  program_.tell("hold");
  EXPECT_EQ(run([&] { return !program_.lines("started").empty(); }), ExitCode::kSavedOnRequest);
  EXPECT_EQ(journal().code, 75);
  EXPECT_EQ(journal().reason, "stopped on request at step 2");
  EXPECT_FALSE(journal().failed());
  program_.untell("hold");
  EXPECT_EQ(run(), ExitCode::kDone);
  EXPECT_EQ(journal().starts, 2);
}

// `lacuna train` finds out who has the run; here a program that says so, as train does.
TEST_F(RunTask, ARunThatAnotherProcessHasIsNeverFailed) {
  program_.tell("fail-train", "79");
  EXPECT_EQ(run(), ExitCode::kSavedOnRequest);
  EXPECT_EQ(program_.calls("train"), 1u);
  JournalSummary after = journal();
  EXPECT_FALSE(after.failed());
  EXPECT_TRUE(after.open);  // whoever has it goes on
  EXPECT_THAT(after.reason, HasSubstr("no such cache"));
  // The other one ends its work meanwhile; what is said later about waiting does not undo that.
  write_journal(directory_.journal(plan_.runs[0].id), "end",
                {{"code", 1}, {"reason", "disk full"}});
  EXPECT_TRUE(journal().failed());
  program_.untell("fail-train");
  EXPECT_EQ(run(), ExitCode::kDone);
}

TEST_F(RunTask, AHeldRunIsTakenWhenItIsFreed) {
  program_.tell("fail-train", "79");
  settings_.busy_seconds = 60;
  settings_.held_seconds = 0.01;
  std::size_t asked = 0;
  EXPECT_EQ(run([&] {
              if (program_.calls("train") >= 3 && asked++ == 0) program_.untell("fail-train");
              return false;
            }),
            ExitCode::kDone);
  // Two that found it held; the third may have been told so or not.
  EXPECT_GE(program_.calls("train"), 3u);
  EXPECT_TRUE(journal().done);
}

TEST_F(RunTask, AWaitForAHeldRunEndsWhenAStopIsRequested) {
  program_.tell("fail-train", "79");
  settings_.busy_seconds = 3600;
  settings_.held_seconds = 3600;
  EXPECT_EQ(run([&] { return program_.calls("train") > 0; }), ExitCode::kSavedOnRequest);
}

TEST_F(RunTask, APlanOfAnotherVersionIsRefused) {
  plan_.runs[0].id = "0123456789abcdef";
  EXPECT_EQ(run(), ExitCode::kBadUsage);
  EXPECT_THAT(journal().reason, HasSubstr("submit the sweep file again"));
  EXPECT_EQ(program_.calls("train"), 0u);
}

TEST_F(RunTask, ARunThatThisVersionRefusesFailsWithTheReason) {
  plan_.runs[0].set["train.stpes"] = 5;
  EXPECT_EQ(run(), ExitCode::kBadUsage);
  EXPECT_THAT(journal().reason, HasSubstr("Did you mean train.steps?"));
}

TEST_F(RunTask, WhatTheRunNeedsReachesTheTraining) {
  plan_.resources[0] = {{"ranks", 2}, {"launcher", "mpirun"}};
  plan_.evaluate = {"validation", "none"};
  settings_.staging = "/scratch/job 7";
  settings_.threads = 3;
  EXPECT_EQ(run(), ExitCode::kError);  // the toy evaluates another part
  const auto calls = program_.lines("calls");
  EXPECT_THAT(calls.at(0),
              AllOf(HasSubstr("--set data.stage=\"/scratch/job 7\""),
                    HasSubstr("--set train.threads=3"), HasSubstr("--ranks 2 --launcher mpirun")));
  EXPECT_THAT(calls.at(1), HasSubstr("--part validation --quiet --no-hd95"));
}

class RunTaskInGroups : public RunTask {
 protected:
  RunTaskInGroups()
      : RunTask(R"({"base": {"method": "unet"}, "groups": {
          "teachers": {"grid": {"train.seed": [1, 2]}},
          "students": {"after": ["teachers"], "grid": {"train.seed": [3]}}}})") {}
  static constexpr std::size_t kStudent = 2;
  const std::function<bool()> go_on_ = [] { return false; };
};

TEST_F(RunTaskInGroups, AStudentWaitsForItsTeachers) {
  EXPECT_EQ(run(go_on_, kStudent), ExitCode::kSavedOnRequest);
  EXPECT_THAT(journal(kStudent).reason, HasSubstr("waits for 2 runs"));
  ASSERT_EQ(run(go_on_, 0), ExitCode::kDone);
  program_.tell("fail-train", "77");
  ASSERT_EQ(run(go_on_, 1), ExitCode::kDiverged);
  program_.untell("fail-train");
  EXPECT_EQ(run(go_on_, kStudent), ExitCode::kError);
  EXPECT_THAT(journal(kStudent).reason, HasSubstr("unet seed=2 of group teachers, which failed"));
  ASSERT_EQ(run(go_on_, 1), ExitCode::kDone);
  EXPECT_EQ(run(go_on_, kStudent), ExitCode::kDone);
}

class RunTaskFromATeacher : public RunTask {
 protected:
  RunTaskFromATeacher()
      : RunTask(R"({"base": {"method": "unet"}, "groups": {
          "teachers": {"grid": {"train.seed": [1, 2]}},
          "students": {"after": ["teachers"], "grid": {"train.seed": [2]},
                       "base": {"init": {"weights": {"from": "teachers"}}}}}})") {}
};

TEST_F(RunTaskFromATeacher, TheStudentIsToldWhereItsTeacherLies) {
  const auto go_on = [] { return false; };
  for (std::size_t i = 0; i < 3; ++i) ASSERT_EQ(run(go_on, i), ExitCode::kDone);
  const auto calls = program_.lines("calls");
  const std::string teacher = Json(directory_.run(plan_.runs[1].id).string()).dump();
  EXPECT_THAT(calls.at(4), HasSubstr("--set init.weights=" + teacher));
  EXPECT_THAT(calls.at(2), ::testing::Not(HasSubstr("init.weights")));
}

TEST(RunJournal, ATornLineIsLeftOutAndARetryForgetsTheFailure) {
  const TemporaryDirectory folder;
  const Path path = folder / "run/sweep.jsonl";
  write_journal(path, "start", {{"host", "n1"}, {"job", "12_3"}});
  write_journal(path, "trained", {{"step", 10}, {"seconds_per_step", 0.25}});
  write_journal(path, "end", {{"code", 77}, {"reason", "diverged"}});
  EXPECT_TRUE(read_journal(path).failed());
  EXPECT_EQ(read_journal(path).host, "n1");
  write_journal(path, "retry", Json::object());
  EXPECT_FALSE(read_journal(path).failed());
  EXPECT_EQ(read_journal(path).starts, 0);
  EXPECT_EQ(read_journal(path).step_seconds, 0.25);
  std::ofstream(path, std::ios::app) << R"({"event": "done", "di)";
  EXPECT_FALSE(read_journal(path).done);
  EXPECT_TRUE(read_journal(path).exists);
}

// A run that is done would begin anew.
TEST(RunJournal, OneThatCannotBeReadIsNotAnEmptyOne) {
  const TemporaryDirectory folder;
  EXPECT_FALSE(read_journal(folder / "none").exists);
  std::filesystem::create_symlink("loop", folder / "loop");  // stat() fails with ELOOP
  EXPECT_THROW(read_journal(folder / "loop"), DataError);
}

}  // namespace
}  // namespace lacuna::experiments
