#include "experiments/sweep_status.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/temporary_directory.h"
#include "experiments/run_journal.h"
#include "experiments/sweep_submit.h"
#include "tests/base/faulty_file_system.h"
#include "tests/experiments/toy_sweep.h"
#include "tests/slurm/fake_scheduler.h"

namespace lacuna::experiments {
namespace {

using slurm::TaskStatus;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using tests::FakeScheduler;
using tests::toy_plan;

constexpr const char* kFour =
    R"({"name": "four", "base": {"method": "unet"}, "grid": {"train.seed": [1,2,3,4]},
        "resources": {"throttle": 2, "max_requeues": 5, "staging": "/scratch"}})";
constexpr const char* kChain = R"({"name": "chain", "base": {"method": "unet"}, "groups": {
    "a": {"grid": {"train.seed": [1, 2]}}, "b": {"after": ["a"], "grid": {"train.seed": [3]}}}})";

struct Sweep {
  explicit Sweep(const std::string& text) : plan(toy_plan(text)), directory(folder.path() / "s") {
    directory.store(tests::define(text), plan);
  }
  std::vector<const PlannedRun*> all() const {
    std::vector<const PlannedRun*> runs;
    for (const PlannedRun& run : plan.runs) runs.push_back(&run);
    return runs;
  }
  SubmitReport submit() { return submit_runs(directory, plan, all(), {"lacuna"}, slurm); }
  SweepStatus status() { return read_status(directory, plan, &slurm); }
  void write(std::size_t run, const std::string& event, const Json& detail) {
    write_journal(directory.journal(plan.runs[run].id), event, detail);
  }
  void metrics(std::size_t run, const std::string& text) {
    std::ofstream(directory.run(plan.runs[run].id) / "metrics.jsonl") << text;
  }

  TemporaryDirectory folder;
  SweepPlan plan;
  SweepDirectory directory;
  FakeScheduler slurm;
};

TEST(SweepSubmit, AnArrayHoldsTheRunsByTheirIdentity) {
  Sweep sweep(kFour);
  const SubmitReport report = sweep.submit();
  ASSERT_EQ(sweep.slurm.submitted.size(), 2u);  // and the report
  const slurm::ArrayRequest& request = sweep.slurm.submitted[0];
  EXPECT_EQ(request.tasks.size(), 4u);
  EXPECT_EQ(request.tasks[2], sweep.plan.runs[2].id);
  EXPECT_EQ(request.throttle, 2);
  EXPECT_EQ(request.max_requeues, 5);
  const std::string root = sweep.directory.root().string();
  EXPECT_THAT(request.command,
              ElementsAre("lacuna", "sweep", "task", root, "{task}", "--staging", "{staging}"));
  EXPECT_EQ(request.staging, "/scratch");
  EXPECT_EQ(request.progress, root + "/runs/{task}/checkpoints");
  EXPECT_THAT(request.name, HasSubstr("four-"));
  EXPECT_EQ(report.arrays.at(0).job, "1");
}

TEST(SweepSubmit, GroupsBecomeArraysThatWaitForOneAnother) {
  Sweep sweep(kChain);
  sweep.submit();
  ASSERT_EQ(sweep.slurm.submitted.size(), 3u);  // the last is the report
  EXPECT_THAT(sweep.slurm.submitted[0].after, IsEmpty());
  EXPECT_THAT(sweep.slurm.submitted[1].after, ElementsAre("1"));
  EXPECT_NE(sweep.slurm.submitted[0].name, sweep.slurm.submitted[1].name);
  // A student that is submitted later waits for the teachers that are still under way.
  sweep.slurm.end("1", 0, 0);
  submit_runs(sweep.directory, sweep.plan, {&sweep.plan.runs[2]}, {"lacuna"}, sweep.slurm);
  EXPECT_THAT(sweep.slurm.submitted[3].after, ElementsAre("1"));
}

TEST(SweepSubmit, TheReportWaitsForAllArraysAndIsNoRun) {
  Sweep sweep(kChain);
  EXPECT_EQ(sweep.submit().report_job, "3");
  const slurm::ArrayRequest& report = sweep.slurm.submitted.at(2);
  EXPECT_THAT(report.after, ElementsAre("1", "2"));
  EXPECT_THAT(report.command,
              ElementsAre("lacuna", "sweep", "report", sweep.directory.root().string(), "--quiet"));
  sweep.slurm.task("3", 0).reason = "Dependency";
  const SweepStatus status = sweep.status();
  EXPECT_EQ(status.count[static_cast<std::size_t>(RunState::kPending)], 3u);
  EXPECT_THAT(status_summary(sweep.plan, status),
              HasSubstr("\nreport: pending, job 3 (waits for the runs that it needs)"));
  EXPECT_EQ(status_json(sweep.directory, sweep.plan, status)["report"]["state"], "pending");
  EXPECT_THAT(cancel_runs(sweep.directory, sweep.slurm), ElementsAre("1", "2", "3"));
}

TEST(SweepSubmit, ALaterSubmissionReplacesTheReportAndOneWithoutRunsMakesUpForALostOne) {
  Sweep sweep(kChain);
  sweep.submit();
  const auto nothing_more = [&] {
    return submit_runs(sweep.directory, sweep.plan, {}, {"lacuna"}, sweep.slurm).report_job;
  };
  EXPECT_EQ(nothing_more(), "");  // one is under way
  sweep.slurm.end("1", 0, 77);
  sweep.slurm.end("1", 1, 0);
  submit_runs(sweep.directory, sweep.plan, {&sweep.plan.runs[0]}, {"lacuna"}, sweep.slurm);
  EXPECT_THAT(sweep.slurm.submitted.at(4).after, ElementsAre("2", "4"));
  EXPECT_THAT(sweep.slurm.cancelled, ElementsAre("3"));
  sweep.slurm.cancel({"5"});
  EXPECT_EQ(nothing_more(), "6");
  EXPECT_EQ(sweep.status().report.job, "6");
  for (const char* job : {"2", "4"}) sweep.slurm.end(job, 0, 0);
  sweep.slurm.end("6", 0, 0);
  EXPECT_EQ(nothing_more(), "");  // nothing is under way
}

TEST(SweepSubmit, AReportThatIsRefusedOrLostChangesNothingForTheRuns) {
  Sweep sweep(kFour);
  sweep.slurm.refuse = "jobs without GPUs are not welcome";
  sweep.slurm.accept_before = 1;
  const SubmitReport refused = sweep.submit();
  EXPECT_EQ(refused.arrays.size(), 1u);
  ASSERT_EQ(refused.notes.size(), 1u);
  EXPECT_THAT(refused.notes[0],
              AllOf(HasSubstr("jobs without GPUs"), HasSubstr("lacuna sweep report ")));
  EXPECT_EQ(report_line(sweep.status().report), "");
  // The next submission tries again; when its answer is lost, it is found by name.
  sweep.slurm.lose_submission = true;
  EXPECT_EQ(submit_runs(sweep.directory, sweep.plan, {}, {"lacuna"}, sweep.slurm).notes.size(), 1u);
  EXPECT_EQ(sweep.status().report.job, "2");
  EXPECT_TRUE(sweep.status().runs[0].active);
}

TEST(SweepSubmit, TheReportRunsWhereTheRunsMayUnlessTheFileSaysOtherwise) {
  Sweep sweep(R"({"base": {"method": "unet"}, "report": {"partition": "cpu", "time": "5"},
      "resources": {"partition": "gpu", "account": "brain", "time": "40:00:00", "ranks": 8,
                    "gpus_per_rank": 1, "extra": ["--qos=high"]}})");
  sweep.submit();
  const slurm::Resources& report = sweep.slurm.submitted.at(1).resources;
  EXPECT_EQ(report.partition, "cpu");
  EXPECT_EQ(report.account, "brain");
  EXPECT_EQ(report.time, "5");
  EXPECT_EQ(report.ranks, 1);
  EXPECT_EQ(report.gpus_per_rank, 0);
  EXPECT_THAT(report.extra, ElementsAre("--qos=high"));
}

TEST(SweepStatus, WhatBecameOfTheReportIsTold) {
  Sweep sweep(kFour);
  EXPECT_EQ(report_line(sweep.status().report), "");
  sweep.submit();
  sweep.slurm.task("2", 0).status = TaskStatus::kRunning;
  EXPECT_EQ(report_line(sweep.status().report), "report: running, job 2");
  sweep.slurm.end("2", 0, 1);
  EXPECT_THAT(report_line(sweep.status().report),
              AllOf(HasSubstr("report: failed, job 2"), HasSubstr("logs/2_0.log says why"),
                    HasSubstr("By hand: lacuna sweep report ")));
  sweep.slurm.end("2", 0, 0);
  EXPECT_THAT(report_line(sweep.status().report), HasSubstr("the page was deleted"));
  std::ofstream(sweep.directory.report_file()) << "page";
  EXPECT_EQ(report_line(sweep.status().report),
            "report: done, " + sweep.directory.report_file().string());
  sweep.slurm.forget("2");
  EXPECT_THAT(report_line(sweep.status().report), HasSubstr("report: done"));
  std::filesystem::remove(sweep.directory.report_file());
  EXPECT_THAT(report_line(sweep.status().report), HasSubstr("its job is gone"));
  sweep.slurm.hang = true;
  EXPECT_THAT(report_line(sweep.status().report), HasSubstr("unknown"));
}

TEST(SweepSubmit, MoreRunsThanAnArrayHoldsBecomeSeveral) {
  Sweep sweep(kFour);
  sweep.slurm.limit.max_array_size = 3;
  sweep.submit();
  ASSERT_EQ(sweep.slurm.submitted.size(), 3u);
  EXPECT_THAT(sweep.slurm.submitted[2].after, ElementsAre("1", "2"));
  EXPECT_EQ(sweep.slurm.submitted[1].tasks.size(), 1u);
  sweep.slurm.task("2", 0).status = TaskStatus::kRunning;
  EXPECT_EQ(sweep.status().runs[3].state, RunState::kRunning);
}

TEST(SweepSubmit, ARefusalIsShownInItsOwnWordsAndLeavesNothing) {
  Sweep sweep(kFour);
  sweep.slurm.refuse = "Invalid account";
  try {
    sweep.submit();
    FAIL() << "no error";
  } catch (const slurm::SchedulerError& error) {
    EXPECT_THAT(error.what(), HasSubstr("Invalid account"));
  }
  const SweepStatus status = sweep.status();
  EXPECT_FALSE(status.runs[0].active);
  EXPECT_THAT(status.runs[0].reason, IsEmpty());
}

TEST(SweepSubmit, ASubmissionWhoseAnswerWasLostIsFoundAgain) {
  Sweep sweep(kFour);
  sweep.slurm.lose_submission = true;
  EXPECT_THROW(sweep.submit(), slurm::SchedulerError);
  const SweepStatus status = sweep.status();
  EXPECT_TRUE(status.runs[0].active);
  EXPECT_EQ(status.count[static_cast<std::size_t>(RunState::kPending)], 4u);
  sweep.slurm.task("1", 1).status = TaskStatus::kRunning;
  EXPECT_EQ(sweep.status().runs[1].state, RunState::kRunning);
  EXPECT_THAT(cancel_runs(sweep.directory, sweep.slurm), ElementsAre("1"));
  EXPECT_EQ(Submissions(sweep.directory).all().at(0).job, "1");  // written down by then
}

TEST(SweepSubmit, AListThatCannotBeReadSubmitsNothingTwice) {
  Sweep sweep(kFour);
  const Path file = sweep.directory.submissions_file();
  std::filesystem::create_symlink(file.filename(), file);  // stat() fails with ELOOP
  EXPECT_THROW(sweep.submit(), DataError);
  EXPECT_THAT(sweep.slurm.submitted, IsEmpty());
}

TEST(SweepSubmit, DamagedLinesAreToldATornOneIsForgottenAndTheRestIsRead) {
  Sweep sweep(kFour);
  sweep.submit();
  {
    std::ofstream file(sweep.directory.submissions_file(), std::ios::app);
    file << "\xff garbage\n[1]\n{\"event\": 7, \"name\": []}\n"
            R"({"event": "array", "name": "odd", "runs": {"a": 1}, "report": 5})"
            "\n"
            R"({"event": "submitted", "name": "odd", "job": 12})"
            "\n"
            R"({"event": "array", "na)";
  }
  const SweepStatus status = sweep.status();
  EXPECT_EQ(status.count[static_cast<std::size_t>(RunState::kPending)], 4u);
  EXPECT_TRUE(status.runs[0].active);
  ASSERT_EQ(status.notes.size(), 1u);
  EXPECT_THAT(status.notes[0], AllOf(HasSubstr("submissions.jsonl: 3 damaged lines"),
                                     HasSubstr("squeue lists them")));
  EXPECT_THAT(cancel_runs(sweep.directory, sweep.slurm), ElementsAre("1", "2"));
}

TEST(SweepSubmit, CancelEndsWhatIsUnderWayOnly) {
  Sweep sweep(kChain);
  sweep.submit();
  sweep.slurm.end("1", 0, 0);
  sweep.slurm.end("1", 1, 0);
  EXPECT_THAT(cancel_runs(sweep.directory, sweep.slurm), ElementsAre("2", "3"));
  EXPECT_THAT(cancel_runs(sweep.directory, sweep.slurm), IsEmpty());
  EXPECT_THAT(sweep.status().runs[2].reason, HasSubstr("job 2_0 was cancelled"));
}

TEST(SweepSubmit, ADirectoryWhoseNameWouldBeReplacedIsRefused) {
  const std::string text = R"({"base": {"method": "unet"}})";
  const TemporaryDirectory folder;
  const SweepPlan plan = toy_plan(text);
  const SweepDirectory directory(folder.path() / "{task}");
  directory.store(tests::define(text), plan);
  FakeScheduler slurm;
  EXPECT_THROW(submit_runs(directory, plan, {&plan.runs[0]}, {"lacuna"}, slurm), ConfigError);
}

TEST(SweepStatus, EachStateComesFromJournalAndBatchSystemTogether) {
  Sweep sweep(kFour);
  sweep.submit();
  // 0 runs, 1 was requeued, 2 is done although its job still ends, 3 waits.
  sweep.slurm.task("1", 0).status = TaskStatus::kRunning;
  sweep.slurm.task("1", 0).nodes = "n7";
  sweep.write(0, "start", {{"host", "n7"}});
  sweep.metrics(0, "{\"step\": 30, \"seconds\": {\"step\": 2.0}}\n{\"step\": 40, \"sec");
  std::ofstream(sweep.directory.run(sweep.plan.runs[0].id) / "events.jsonl")
      << "{\"event\": \"validation\", \"score\": 0.5}\n{\"event\": \"validation\", \"score\": "
         "0.4}\n";
  sweep.slurm.task("1", 1).status = TaskStatus::kRequeued;
  sweep.slurm.task("1", 1).reason = "BeginTime";
  sweep.write(1, "start", Json::object());
  sweep.slurm.task("1", 2).status = TaskStatus::kRunning;
  sweep.write(2, "done", {{"dice", 0.75}, {"seconds", 9}});
  sweep.slurm.task("1", 3).reason = "Priority";

  const SweepStatus status = sweep.status();
  EXPECT_EQ(status.runs[0].state, RunState::kRunning);
  EXPECT_EQ(status.runs[0].step, 30);
  EXPECT_EQ(status.runs[0].eta_seconds, 140);  // 70 of 100 steps are left
  EXPECT_EQ(status.runs[0].dice, 0.5);
  EXPECT_FALSE(status.runs[0].evaluated);
  EXPECT_EQ(status.runs[0].node, "n7");
  EXPECT_EQ(status.runs[1].state, RunState::kRequeued);
  EXPECT_THAT(status.runs[1].reason, HasSubstr("BeginTime"));
  EXPECT_EQ(status.runs[2].state, RunState::kDone);
  EXPECT_EQ(status.runs[2].dice, 0.75);
  EXPECT_FALSE(status.runs[2].active);
  EXPECT_EQ(status.runs[3].state, RunState::kPending);
  EXPECT_THAT(status.runs[3].reason, HasSubstr("Priority"));
  EXPECT_TRUE(status.runs[3].active);
  EXPECT_EQ(sweep.slurm.queries, 1);  // however many runs
}

TEST(SweepStatus, ARunThatIsTrainedAndGoesOnEvaluates) {
  Sweep sweep(kFour);
  sweep.submit();
  sweep.slurm.task("1", 0).status = TaskStatus::kRunning;
  sweep.write(0, "start", {{"host", "n7"}});
  sweep.metrics(0, "{\"step\": 100, \"seconds\": {\"step\": 2.0}}\n");
  const SweepStatus status = sweep.status();
  EXPECT_EQ(status.runs[0].reason, "evaluates");
  EXPECT_FALSE(status.runs[0].eta_seconds);
}

TEST(SweepStatus, WhatEndedBadlyIsNamed) {
  Sweep sweep(kFour);
  sweep.submit();
  sweep.slurm.task("1", 0).status = TaskStatus::kTimeout;
  sweep.slurm.task("1", 1).status = TaskStatus::kFailed;
  sweep.slurm.task("1", 1).signal = 9;
  sweep.write(1, "start", Json::object());
  sweep.slurm.end("1", 2, 77);
  sweep.write(2, "start", Json::object());
  sweep.write(2, "end", {{"code", 77}, {"reason", "loss is not finite"}});
  sweep.slurm.end("1", 3, 0);  // done once, but its directory is not there any more
  const SweepStatus status = sweep.status();
  EXPECT_EQ(status.count[static_cast<std::size_t>(RunState::kFailed)], 3u);
  EXPECT_THAT(status.runs[0].reason, HasSubstr("time limit"));
  EXPECT_THAT(status.runs[1].reason, HasSubstr("killed by signal 9"));
  EXPECT_EQ(status.runs[2].reason, "loss is not finite");
  EXPECT_EQ(status.runs[3].state, RunState::kPending);
  EXPECT_THAT(status.runs[3].reason, HasSubstr("deleted"));
  for (const RunStatus& run : status.runs) EXPECT_FALSE(run.active);
}

// A controller that did not answer its question: the job ended, the run is as well as ever.
TEST(SweepStatus, ASavedRunWhoseJobWasNotRequeuedWaitsToGoOn) {
  Sweep sweep(kFour);
  sweep.submit();
  for (const int code : {75, 76}) {
    const std::size_t run = code == 75 ? 0 : 1;
    sweep.slurm.end("1", static_cast<int>(run), code);
    sweep.write(run, "start", Json::object());
    sweep.write(run, "end", {{"code", code}, {"reason", "stopped on request at step 5"}});
  }
  const SweepStatus status = sweep.status();
  EXPECT_EQ(status.runs[0].state, RunState::kPending);
  EXPECT_FALSE(status.runs[0].active);
  EXPECT_THAT(status.runs[0].reason,
              AllOf(HasSubstr("stopped on request at step 5"), HasSubstr("submit goes on")));
  EXPECT_EQ(status.runs[1].state, RunState::kFailed);  // lost twice at one checkpoint: look at it
}

TEST(SweepStatus, ARunThatAnotherProcessHasIsRunning) {
  Sweep sweep(kFour);
  sweep.submit();
  sweep.slurm.task("1", 0).status = TaskStatus::kRunning;
  sweep.write(0, "start", Json::object());
  sweep.write(0, "held", {{"reason", "another process writes to this directory"}});
  const SweepStatus status = sweep.status();
  EXPECT_EQ(status.runs[0].state, RunState::kRunning);
  EXPECT_TRUE(status.runs[0].active);
}

TEST(SweepStatus, WhatTheBatchSystemHasForgottenIsToldFromTheFiles) {
  Sweep sweep(kFour);
  sweep.submit();
  sweep.write(0, "start", Json::object());
  sweep.write(1, "done", {{"dice", 0.5}});
  sweep.write(2, "start", Json::object());
  sweep.write(2, "end", {{"code", 75}, {"reason", "stopped on request at step 5"}});
  sweep.slurm.forget("1");
  const SweepStatus status = sweep.status();
  EXPECT_EQ(status.runs[0].state, RunState::kFailed);
  EXPECT_THAT(status.runs[0].reason, HasSubstr("left no word"));
  EXPECT_EQ(status.runs[1].state, RunState::kDone);
  EXPECT_EQ(status.runs[2].state, RunState::kPending);
  EXPECT_THAT(status.runs[2].reason, HasSubstr("stopped on request at step 5"));
  EXPECT_EQ(status.runs[3].state, RunState::kPending);
  EXPECT_FALSE(status.runs[3].active);  // it is in no queue: the next submission takes it
}

TEST(SweepStatus, WithoutAnAnswerTheFilesAreShownWithANote) {
  Sweep sweep(kFour);
  sweep.submit();
  sweep.write(0, "done", {{"dice", 0.5}});
  sweep.slurm.hang = true;
  const SweepStatus status = sweep.status();
  EXPECT_EQ(status.runs[0].state, RunState::kDone);
  EXPECT_TRUE(status.runs[1].active);  // nobody may submit it a second time on a guess
  ASSERT_EQ(status.notes.size(), 1u);
  EXPECT_THAT(status.notes[0], HasSubstr("no answer"));
}

TEST(SweepStatus, AnInterruptedLocalRunWaits) {
  Sweep sweep(kFour);
  sweep.write(0, "start", {{"host", "here"}});
  const SweepStatus status = read_status(sweep.directory, sweep.plan, nullptr);
  EXPECT_EQ(status.runs[0].state, RunState::kPending);
  EXPECT_THAT(status.runs[0].reason, HasSubstr("interrupted"));
  EXPECT_THAT(status.notes, IsEmpty());
}

// Lines of a run that waits or failed tell how far it came, and not when it will be done.
TEST(SweepStatus, WhatDoesNotRunHasNoRemainingTime) {
  Sweep sweep(R"({"grid": {"train.seed": [1, 2]}, "base": {"method": "unet",
                  "train": {"steps": 10}}})");
  for (const std::size_t run : {std::size_t{0}, std::size_t{1}}) {
    sweep.write(run, "start", {{"host", "here"}});
    sweep.write(run, "trained", {{"seconds_per_step", 2.0}});
  }
  sweep.metrics(0, R"({"step": 4, "seconds": {"step": 2.0}})"
                   "\n");
  sweep.metrics(1, R"({"step": 10, "seconds": {"step": 2.0}})"
                   "\n");
  const SweepStatus status = read_status(sweep.directory, sweep.plan, nullptr);
  for (const RunStatus& run : status.runs) {
    ASSERT_NE(run.state, RunState::kRunning);
    EXPECT_EQ(run.eta_seconds, std::nullopt);
    EXPECT_THAT(run.reason, Not(HasSubstr("evaluates")));
  }
}

TEST(SweepStatus, ATrainedRunThatWaitsInTheQueueDoesNotEvaluate) {
  Sweep sweep(kFour);
  sweep.submit();
  sweep.slurm.task("1", 0).status = TaskStatus::kPending;
  sweep.slurm.task("1", 0).reason = "";
  sweep.write(0, "start", {{"host", "n7"}});
  sweep.metrics(0, "{\"step\": 100, \"seconds\": {\"step\": 2.0}}\n");
  EXPECT_EQ(sweep.status().runs[0].reason, "");
}

// Two ranks are enough for a launcher to be chosen, and for telling which.
TEST(SweepSubmit, TheLauncherOfTwoRanksIsTold) {
  Sweep alone(R"({"base": {"method": "unet"}, "resources": {"ranks": 1}})");
  EXPECT_THAT(alone.submit().notes, Not(Contains(HasSubstr("ranks through"))));
  Sweep two(R"({"base": {"method": "unet"}, "resources": {"ranks": 2}})");
  EXPECT_THAT(two.submit().notes, Contains(HasSubstr("2 ranks through")));
}

TEST(SweepStatus, TheRestIsEstimatedFromRunsOfTheSameKind) {
  Sweep sweep(R"({"grid": {"method": ["unet", "mckd"], "train.seed": [1, 2]},
                  "base": {"train": {"steps": 3600}}})");
  EXPECT_EQ(estimate(sweep.plan, sweep.status()).untimed, 4u);
  sweep.write(0, "trained", {{"seconds_per_step", 2.0}});
  sweep.write(0, "done", {{"dice", 0.5}, {"seconds", 360}});
  const Estimate left = estimate(sweep.plan, sweep.status());
  EXPECT_EQ(left.timed, 1u);
  EXPECT_EQ(left.untimed, 2u);
  EXPECT_DOUBLE_EQ(left.hours, 2.1);  // 3600 steps of 2 s and 360 s of evaluation
}

TEST(SweepStatus, TheTableIsOneLinePerRunAndCannotSteerTheTerminal) {
  Sweep sweep(kFour);
  sweep.write(0, "start", Json::object());
  sweep.write(0, "end", {{"code", 1}, {"reason", "bad \x1b[31mcase"}});
  const SweepStatus status = sweep.status();
  const std::string table = status_table(sweep.plan, status, false);
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 5);
  EXPECT_THAT(table, AllOf(HasSubstr("bad  [31mcase"), Not(HasSubstr("\x1b"))));
  EXPECT_THAT(status_summary(sweep.plan, status),
              AllOf(HasSubstr("4 runs, 3 pending, 1 failed"), HasSubstr("no run of their kind")));
  const Json json = status_json(sweep.directory, sweep.plan, status);
  EXPECT_EQ(json["counts"]["failed"], 1);
  EXPECT_EQ(json["runs"][0]["state"], "failed");
  EXPECT_TRUE(json["runs"][1]["dice"].is_null());
}

TEST(SweepDirectory, AFullDiskLeavesTheFormerPlan) {
  const TemporaryDirectory folder, stash;
  FaultyFileSystem disk(stash.path());
  const SweepDirectory directory(folder.path() / "s", disk);
  const std::string before = R"({"base": {"method": "unet"}})";
  directory.store(tests::define(before), toy_plan(before));
  disk.free_bytes = 300;
  try {
    directory.store(tests::define(kFour), toy_plan(kFour));
    FAIL() << "no error";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("No space left on device"));
  }
  EXPECT_EQ(directory.read_plan().runs.size(), 1u);
}

TEST(SweepDirectory, WhatIsNoSweepIsNamed) {
  const TemporaryDirectory folder;
  try {
    SweepDirectory(folder.path()).read_plan();
    FAIL() << "no error";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no plan.json in it"));
  }
}

}  // namespace
}  // namespace lacuna::experiments
