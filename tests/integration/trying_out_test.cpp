// What one tries before a long run, and to steer one: dry run, rate range, few cases, limits of
// time, plateaus, traces, earlier checkpoints. Through the program itself.
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text/json.h"
#include "tests/integration/small_cohort.h"
#include "tests/run_program.h"

namespace lacuna::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class TryingOut : public ::testing::Test {
 protected:
  void write(const Json& run) const { std::ofstream(scratch_ / "run.json") << run.dump(); }
  ProgramResult train(const std::string& more) const {
    return run_program("train --quiet " + scratch_.text("run.json") + " " + more);
  }
  std::string out() const { return "--out " + scratch_.text("run"); }
  std::set<std::string> checkpoints() const {
    std::set<std::string> names;
    for (const auto& each : fs::directory_iterator(scratch_ / "run/checkpoints")) {
      names.insert(each.path().filename());
    }
    return names;
  }
  Json last_line(const char* file) const {
    std::ifstream lines(scratch_ / "run" / file);
    std::string last;
    for (std::string line; std::getline(lines, line);) last = line;
    return Json::parse(last);
  }
  Scratch scratch_;
};

TEST_F(TryingOut, ADryRunMeasuresAndWritesNothing) {
  write(small_run(500));
  const auto result = train("--dry-run " + out());
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("4 train"), HasSubstr("500: train 500"),
                                HasSubstr("s per step"), HasSubstr("MiB")));
  EXPECT_FALSE(fs::exists(scratch_ / "run"));
  EXPECT_FALSE(fs::exists(scratch_ / "runs"));
  EXPECT_EQ(train("--dry-run --set data.split=none").code, 2);
}

TEST_F(TryingOut, TheRateGrowsGeometricallyOverTheRange) {
  write(small_run(5));
  const auto result = train("--lr-range 1e-4:1 --lr-range-steps 10");
  ASSERT_EQ(result.code, 0) << result.err;
  std::istringstream lines(result.out);
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "step,learning_rate,loss,smoothed_loss");
  int step = 0;
  double rate = 0, first_loss = 0, second_loss = 0;
  for (char comma = 0; std::getline(lines, line);) {
    std::istringstream fields(line);
    double loss = 0;
    fields >> step >> comma >> rate >> comma >> loss;
    if (step == 1) first_loss = loss;
    if (step == 2) second_loss = loss;
  }
  EXPECT_EQ(step, 10);
  EXPECT_DOUBLE_EQ(rate, 1);
  // The rate of the schedule would be 100 times as high at first: the second loss knows.
  const auto plain = train(out());
  ASSERT_EQ(plain.code, 0);
  std::ifstream metrics(scratch_ / "run/metrics.jsonl");
  std::getline(metrics, line);
  EXPECT_NEAR(Json::parse(line).at("loss").get<double>(), first_loss, 1e-4);
  std::getline(metrics, line);
  EXPECT_GT(std::abs(Json::parse(line).at("loss").get<double>() - second_loss), 1e-4);
  for (const char* range : {"1:1e-4", "0:1", "1e-3", "a:b", "1e-4:1x"}) {
    EXPECT_EQ(train(std::string("--lr-range ") + range).code, 2) << range;
  }
}

TEST_F(TryingOut, FewCasesAreAllThatIsTrainedAndValidatedOn) {
  write(small_run(2));
  const auto result = train("--set train.overfit=2 --set validate.every=1 " + out());
  ASSERT_EQ(result.code, 0) << result.err;
  const Json parts = read_json(scratch_ / "run/cases.json").at("parts");
  EXPECT_EQ(parts.at("train").size(), 2u);
  EXPECT_EQ(parts.at("validation"), parts.at("train"));
  EXPECT_EQ(last_line("metrics.jsonl").at("validation").at("cases"), 2);
  EXPECT_EQ(train("--set train.overfit=5 " + out() + "b").code, 2);  // there are four
}

TEST_F(TryingOut, OutOfTimeIsAStopThatGoesOn) {
  write(small_run(100000));
  const auto stopped = train("--set train.max_seconds=2 " + out());
  EXPECT_EQ(stopped.code, 75) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("train.max_seconds: 2 s are over"));
  const std::int64_t step = last_line("metrics.jsonl").at("step");
  // Another limit is the same run.
  const auto again = train("--set train.max_seconds=1 " + out());
  EXPECT_EQ(again.code, 75) << again.err;
  EXPECT_THAT(again.err, HasSubstr("resuming at step " + std::to_string(step)));
}

TEST_F(TryingOut, APlateauEndsTheRunWellAndForGood) {
  Json run = small_run(200);
  run["train"]["learning_rate"] = 1e-30;  // every score is the first one
  run["validate"] = {{"every", 2}, {"patience", 3}};
  write(run);
  const auto ended = train(out());
  ASSERT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("ended at step 8 of 200: no better score in 3 validations"));
  EXPECT_EQ(last_line("events.jsonl").at("event"), "done");
  const auto again = train(out());
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.err, HasSubstr("the run is finished: 8 steps"));
  EXPECT_EQ(last_line("metrics.jsonl").at("step"), 8);
}

TEST_F(TryingOut, StepsAreTracedUnderTheirPhases) {
  write(small_run(4));
  ASSERT_EQ(train("--set train.profile=[2,3] " + out()).code, 0);
  const Json trace = read_json(scratch_ / "run/profile/rank-0.json");
  int phases = 0, convolutions = 0;
  for (const Json& event : trace.at("traceEvents")) {
    phases += event.value("name", "") == "train" && event.value("ph", "") == "X";
    convolutions += event.value("name", "") == "aten::convolution";
  }
  EXPECT_EQ(phases, 2);  // of steps 2 and 3
  EXPECT_GT(convolutions, 10);
  EXPECT_EQ(train("--set train.profile=[3,2] " + out() + "b").code, 2);
}

TEST_F(TryingOut, AnEarlierCheckpointIsGoneOnFromAndLaterOnesAreKept) {
  Json run = small_run(6);
  run["checkpoint"] = {{"every_steps", 1}, {"keep", 2}, {"keep_every", 3}};
  write(run);
  ASSERT_EQ(train(out()).code, 0);
  const std::string model = "run/checkpoints/step-00000006/model.safetensors";
  const std::string before = read_text(scratch_ / model);
  EXPECT_EQ(checkpoints(),
            (std::set<std::string>{"step-00000003", "step-00000005", "step-00000006"}));
  const auto back = train("--from-step 3 " + out());
  ASSERT_EQ(back.code, 0) << back.err;
  EXPECT_THAT(back.err, AllOf(HasSubstr("2 later checkpoints"), HasSubstr("at step 3 of 6")));
  EXPECT_EQ(checkpoints().count("step-00000005.later"), 1u);
  EXPECT_EQ(checkpoints().count("step-00000006.later"), 1u);
  EXPECT_EQ(read_text(scratch_ / model), before);  // the same way again
  const auto none = train("--from-step 4 " + out());
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.err, HasSubstr("no checkpoint of step 4; there are: 6, 5, 3"));
}

TEST(CommandLine, SaysWhatMayHaveBeenMeant) {
  EXPECT_THAT(run_program("tarin").err, HasSubstr("\"lacuna tarin\"; did you mean \"train\"?"));
  EXPECT_THAT(run_program("sweep sumbit").err, HasSubstr("did you mean \"submit\"?"));
  const auto option = run_program("train run.json --rnaks 2");
  EXPECT_EQ(option.code, 2);
  EXPECT_THAT(option.err, HasSubstr("lacuna train: \"--rnaks\" is not expected there; did you "
                                    "mean \"--ranks\"?"));
}

TEST(CommandLine, CompletesCommandsAndOptions) {
  const Scratch scratch;
  std::ofstream(scratch / "completion") << run_program("completion bash").out;
  const auto completed = [&](const std::string& words, int at) {
    const std::string command = "bash -c 'source " + scratch.text("completion") + "; COMP_WORDS=(" +
                                words + "); COMP_CWORD=" + std::to_string(at) +
                                "; _lacuna; echo ${COMPREPLY[@]}' >" + scratch.text("out");
    EXPECT_EQ(std::system(command.c_str()), 0);
    return read_text(scratch / "out");
  };
  EXPECT_EQ(completed("lacuna ev", 1), "eval\n");
  EXPECT_EQ(completed("lacuna sweep su", 2), "submit\n");
  EXPECT_EQ(completed("lacuna train run.json --fro", 3), "--from-step\n");
  EXPECT_EQ(run_program("completion fish").code, 2);
  EXPECT_THAT(run_program("--help").out,
              AllOf(HasSubstr("Results:"), Not(HasSubstr("SUBCOMMANDS"))));
}

}  // namespace
}  // namespace lacuna::tests
