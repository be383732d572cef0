// A sweep on this machine: killed in the middle, gone on with, and compared with an undisturbed
// one.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/small_sweep.h"

namespace lacuna::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TEST(LocalSweep, AKilledSweepGoesOnAndEndsAsIfNothingHadHappened) {
  const Scratch scratch;
  const fs::path file = scratch / "sweep.json", calm = scratch / "calm",
                 rough = scratch / "rough $(touch x); 'y";
  std::ofstream(file) << definition().dump();
  const CommandResult first =
      call({"sweep", "submit", file.string(), "--out", calm.string(), "--local", "2"});
  ASSERT_EQ(first.code, 0) << first.error;
  EXPECT_THAT(first.output, HasSubstr("2 done, 0 failed"));
  EXPECT_THAT(first.output, HasSubstr("report: " + (calm / "report.html").string()));
  EXPECT_TRUE(fs::is_regular_file(calm / "report.html"));
  const Json undisturbed = status_of(calm);
  ASSERT_EQ(undisturbed.at("counts").at("done"), 2);

  // Killed while the second run trains.
  const std::vector<std::string> submit = {"sweep",   "submit", file.string(), "--out", rough,
                                           "--local", "1"};
  const std::string second = undisturbed["runs"][1]["id"], done = undisturbed["runs"][0]["id"];
  {
    ChildOptions options = lacuna(submit);
    options.output_file = scratch.text("log");
    ChildProcess executor(options);
    ASSERT_TRUE(comes_true([&] {
      return lines_of(rough / "runs" / second / "metrics.jsonl") >= 2 || executor.wait(0);
    }));
    executor.signal(SIGKILL);
    EXPECT_EQ(executor.wait(60), 128 + SIGKILL) << read_text(scratch / "log");
  }
  const Json killed = status_of(rough);
  EXPECT_EQ(killed["runs"][0]["state"], "done");
  EXPECT_EQ(killed["runs"][1]["state"], "pending");

  fs::create_directories(rough / "report.html");  // in its way: costs the report, not the runs
  const CommandResult again = call(submit);
  ASSERT_EQ(again.code, 0) << again.error;
  EXPECT_THAT(again.error, HasSubstr("the report was not written"));
  fs::remove(rough / "report.html");
  EXPECT_THAT(again.output, HasSubstr("1 runs are done already"));
  const Json after = status_of(rough);
  ASSERT_EQ(after.at("counts").at("done"), 2);
  for (int i = 0; i < 2; ++i) expect_same_results(undisturbed["runs"][i], after["runs"][i]);
  EXPECT_EQ(after["runs"][0]["starts"], 1);
  EXPECT_EQ(after["runs"][1]["starts"], 2);
  EXPECT_FALSE(fs::exists("x"));  // nothing read the directory's name as a command

  // A larger file does what is new; a run whose directory was deleted is done again.
  Json larger = definition();
  larger["grid"]["train.seed"] = {1, 2, 3};
  larger["base"]["train"]["steps"] = 12.0;
  std::ofstream(file) << larger.dump();
  fs::remove_all(rough / "runs" / done);
  ASSERT_EQ(call(submit).code, 0);
  const Json grown = status_of(rough);
  EXPECT_EQ(grown.at("counts").at("done"), 3);
  EXPECT_EQ(grown["runs"][1]["starts"], 2);
  expect_same_results(undisturbed["runs"][0], grown["runs"][0]);

  const CommandResult report = call({"sweep", "report", rough.string()});
  ASSERT_EQ(report.code, 0) << report.error;
  const std::string page = read_text(rough / "report.html");
  EXPECT_THAT(page, HasSubstr("Means over seeds and folds"));
  EXPECT_THAT(page, HasSubstr("unet seed=3"));
}

TEST(LocalSweep, AFailedRunIsNamedAndRetriedUnderTheSameName) {
  const Scratch scratch;
  const fs::path file = scratch / "sweep.json", sweep = scratch / "sweep";
  Json one = definition();
  one["grid"] = {{"train.seed", {1}}};
  one["base"]["train"]["steps"] = 2;
  std::ofstream(file) << one.dump();
  // A directory in the way of the log of metrics: writing fails as on a full disk.
  const CommandResult planned = call({"sweep", "plan", file.string(), "--json"});
  ASSERT_EQ(planned.code, 0) << planned.error;
  const std::string id = Json::parse(planned.output)["runs"][0]["id"];
  fs::create_directories(sweep / "runs" / id / "events.jsonl");
  const std::vector<std::string> submit = {
      "sweep", "submit", file.string(), "--out", sweep.string(), "--local", "1"};
  EXPECT_EQ(call(submit).code, 1);
  const Json failed = status_of(sweep);
  EXPECT_EQ(failed["runs"][0]["state"], "failed");
  EXPECT_THAT(failed["runs"][0]["reason"].get<std::string>(), HasSubstr("events.jsonl"));
  // submit leaves it alone.
  EXPECT_THAT(call(submit).output, HasSubstr("sweep retry"));
  fs::remove(sweep / "runs" / id / "events.jsonl");
  const CommandResult retried = call({"sweep", "retry", sweep.string(), "--local", "1"});
  EXPECT_EQ(retried.code, 0) << retried.error;
  EXPECT_EQ(status_of(sweep)["runs"][0]["state"], "done");
}

}  // namespace
}  // namespace lacuna::tests
