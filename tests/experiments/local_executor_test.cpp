#include "experiments/local_executor.h"

#include <csignal>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/held_error.h"
#include "experiments/run_journal.h"
#include "tests/experiments/toy_program.h"
#include "tests/experiments/toy_sweep.h"

namespace lacuna::experiments {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using tests::toy_plan;
using tests::toy_resolver;
using tests::ToyProgram;
using tests::ToySignals;

constexpr const char* kLocalFour =
    R"({"base": {"method": "unet"}, "grid": {"train.seed": [1,2,3,4]}})";
constexpr const char* kLocalChain = R"({"base": {"method": "unet"}, "groups": {
    "a": {"grid": {"train.seed": [1, 2]}}, "b": {"after": ["a"], "grid": {"train.seed": [3]}},
    "c": {"after": ["b"], "grid": {"train.seed": [4]}}}})";

struct LocalSweep {
  explicit LocalSweep(const std::string& text)
      : plan(toy_plan(text)), directory(folder.path() / "s") {
    directory.store(tests::define(text), plan);
    options.task.program = {program.path()};
    options.task.poll_seconds = 0.01;
    options.at_once = 2;
  }
  LocalOutcome run(const LocalProgress& progress = {}) {
    std::vector<const PlannedRun*> runs;
    for (const PlannedRun& run : plan.runs) runs.push_back(&run);
    const auto lock = directory.lock();
    return run_locally(directory, plan, runs, toy_resolver(), options, *lock, signals, progress);
  }

  ToyProgram program;
  TemporaryDirectory folder;
  SweepPlan plan;
  SweepDirectory directory;
  LocalOptions options;
  ToySignals signals;
};

TEST(LocalExecutor, DoesAllRunsSoManyAtATime) {
  LocalSweep sweep(kLocalFour);
  std::set<std::string> under_way;
  std::size_t most = 0;
  const LocalOutcome outcome =
      sweep.run([&](const PlannedRun& run, const std::string& what, const LocalOutcome&) {
        if (what == "start") {
          under_way.insert(run.id);
        } else {
          under_way.erase(run.id);
        }
        most = std::max(most, under_way.size());
      });
  EXPECT_EQ(outcome.done, 4u);
  EXPECT_EQ(outcome.failed + outcome.stopped + outcome.blocked, 0u);
  EXPECT_EQ(most, 2u);
  EXPECT_EQ(sweep.program.calls("train"), 4u);
  // Again: nothing is repeated.
  EXPECT_EQ(sweep.run().done, 4u);
  EXPECT_EQ(sweep.program.calls("train"), 4u);
}

TEST(LocalExecutor, AGroupStartsWhenTheOneBeforeItIsDone) {
  LocalSweep sweep(kLocalChain);
  std::vector<std::string> order;
  EXPECT_EQ(sweep
                .run([&](const PlannedRun& run, const std::string& what, const LocalOutcome&) {
                  order.push_back(what + " " + sweep.plan.groups[run.group].name);
                })
                .done,
            4u);
  EXPECT_THAT(std::vector<std::string>(order.end() - 4, order.end()),
              ElementsAre("start b", "done b", "start c", "done c"));
}

TEST(LocalExecutor, WhatWaitsForAFailureIsNotStarted) {
  LocalSweep sweep(kLocalChain);
  sweep.program.tell("fail-train", "1");
  const LocalOutcome outcome = sweep.run();
  EXPECT_EQ(outcome.failed, 2u);
  EXPECT_EQ(outcome.blocked, 2u);
  EXPECT_EQ(sweep.program.calls("train"), 2u);
}

TEST(LocalExecutor, ARequestToStopEndsTheTrainingsAndTheSameCallGoesOn) {
  LocalSweep sweep(kLocalFour);
  sweep.program.tell("hold");
  int started = 0;
  const LocalOutcome outcome =
      sweep.run([&](const PlannedRun&, const std::string& what, const LocalOutcome&) {
        started += what == "start";
        if (started == 2) sweep.signals.number = SIGTERM;
      });
  EXPECT_EQ(outcome.stopped, 2u);
  EXPECT_EQ(outcome.blocked, 2u);
  sweep.signals.number = 0;
  sweep.program.untell("hold");
  EXPECT_EQ(sweep.run().done, 4u);
}

TEST(LocalExecutor, EachSlotHasItsOwnEnvironment) {
  LocalSweep sweep(kLocalFour);
  sweep.options.slots = {{{"TOY_SLOT", "slot 0"}}, {{"TOY_SLOT", "slot 1"}}};
  EXPECT_EQ(sweep.run().done, 4u);
  for (const std::string& call : sweep.program.lines("calls")) {
    EXPECT_THAT(call, HasSubstr(" in slot "));
  }
}

TEST(LocalExecutor, AProgramThatIsNotThereEndsTheSweepWithItsName) {
  LocalSweep sweep(kLocalFour);
  sweep.options.task.program = {"/no/such/program"};
  try {
    sweep.run();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("/no/such/program"));
  }
}

TEST(LocalExecutor, OneWorksOnASweepAtATime) {
  LocalSweep sweep(kLocalFour);
  const auto lock = sweep.directory.lock();
  EXPECT_THROW(sweep.run(), HeldError);
}

}  // namespace
}  // namespace lacuna::experiments
