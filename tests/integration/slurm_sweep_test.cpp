// A sweep on a real SLURM: groups that wait for one another, a run that is requeued while it
// trains, one that fails and is retried, and results bit-equal to those without SLURM.
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/private_cluster.h"
#include "tests/integration/small_sweep.h"

namespace lacuna::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class SlurmSweep : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string& reason = PrivateCluster::get().skip_reason();
    if (!reason.empty()) GTEST_SKIP() << "no private SLURM here: " << reason;
    Json sweep = definition();
    sweep.erase("grid");
    sweep["groups"] = {{"teachers", {{"grid", {{"train.seed", {1, 2}}}}}},
                       {"students",
                        {{"after", {"teachers"}},
                         {"base", {{"init", {{"weights", {{"from", "teachers"}}}}}}},
                         {"grid", {{"train.seed", {2}}}}}}};
    sweep["resources"] = {{"throttle", 1}, {"time", "10"}};
    std::ofstream(file_) << sweep.dump();
  }
  void TearDown() override {
    if (!PrivateCluster::get().skip_reason().empty()) return;
    call({"sweep", "cancel", sweep_});
    PrivateCluster::get().leave();
    if (!HasFailure()) return;
    for (const auto& entry : fs::directory_iterator(sweep_ / "logs")) {
      std::printf("%s:\n%s\n", entry.path().c_str(), read_text(entry.path()).c_str());
    }
  }
  CommandResult submit() const { return call({"sweep", "submit", file_, "--out", sweep_}); }
  bool ends() const {
    return comes_true([&] {
      const Json counts = status_of(sweep_).at("counts");
      return counts["pending"] == 0 && counts["running"] == 0 && counts["requeued"] == 0;
    });
  }

  bool report_becomes(const std::string& state) const {
    return comes_true([&] { return status_of(sweep_).at("report")["state"] == state; });
  }

  const Scratch scratch_;
  const fs::path file_ = scratch_ / "sweep.json", sweep_ = scratch_ / "a sweep $(touch y)";
};

TEST_F(SlurmSweep, RequeuedAndInGroupsItEndsAsWithoutSlurm) {
  const CommandResult submitted = submit();
  ASSERT_EQ(submitted.code, 0) << submitted.error;
  const Json first = status_of(sweep_);
  const std::string id = first["runs"][0]["id"];
  EXPECT_EQ(first["runs"][2]["group"], "students");

  // Requeued while it trains: SLURM ends the job and starts it again.
  const std::string job = submitted.output.substr(4, submitted.output.find(':') - 4);
  ASSERT_TRUE(comes_true([&] { return lines_of(sweep_ / "runs" / id / "metrics.jsonl") >= 2; }));
  PrivateCluster::call({"scontrol", "requeue", job + "_0"});
  ASSERT_TRUE(ends());
  const Json after = status_of(sweep_);
  EXPECT_EQ(after.at("counts").at("done"), 3) << after.dump(1);
  EXPECT_GE(after["runs"][0]["starts"], 2);
  EXPECT_EQ(after["runs"][1]["starts"], 1);
  EXPECT_FALSE(fs::exists("y"));
  // The student began with the weights of the teacher of its seed.
  const fs::path student = sweep_ / "runs" / after["runs"][2]["id"].get<std::string>();
  const std::string teacher =
      (sweep_ / "runs" / after["runs"][1]["id"].get<std::string>()).string();
  EXPECT_THAT(read_text(student / "events.jsonl"), HasSubstr("\"weights\":\"" + teacher + "/"));

  // The report comes by itself.
  ASSERT_TRUE(report_becomes("done")) << status_of(sweep_)["report"];
  EXPECT_THAT(read_text(sweep_ / "report.html"), HasSubstr("Means over seeds and folds"));

  // Nothing is left to be done; and without SLURM it would have been the same.
  EXPECT_THAT(submit().output, HasSubstr("Nothing is left to be started"));
  const fs::path here = scratch_ / "here";
  ASSERT_EQ(call({"sweep", "submit", file_, "--out", here, "--local", "2"}).code, 0);
  const Json local = status_of(here);
  for (int i = 0; i < 3; ++i) expect_same_results(local["runs"][i], after["runs"][i]);
}

TEST_F(SlurmSweep, AFailedRunAndThoseThatWaitedForItAreRetriedUnderTheirNames) {
  const CommandResult planned = call({"sweep", "plan", file_, "--json"});
  ASSERT_EQ(planned.code, 0) << planned.error;
  const std::string id = Json::parse(planned.output)["runs"][1]["id"];
  const fs::path in_the_way = sweep_ / "runs" / id / "events.jsonl";
  fs::create_directories(in_the_way);
  fs::create_directories(sweep_ / "report.html");  // nor can the report be written
  ASSERT_EQ(submit().code, 0);
  ASSERT_TRUE(ends());
  const Json failed = status_of(sweep_);
  EXPECT_EQ(failed["runs"][0]["state"], "done");
  EXPECT_THAT(failed["runs"][1]["reason"].get<std::string>(), HasSubstr("events.jsonl"));
  EXPECT_THAT(failed["runs"][2]["reason"].get<std::string>(), HasSubstr("of group teachers"));
  ASSERT_TRUE(report_becomes("failed"));
  EXPECT_THAT(status_of(sweep_)["report"]["reason"].get<std::string>(), HasSubstr("_0.log"));

  fs::remove(in_the_way);
  fs::remove(sweep_ / "report.html");
  const CommandResult retried = call({"sweep", "retry", sweep_});
  ASSERT_EQ(retried.code, 0) << retried.error;
  ASSERT_TRUE(ends());
  const Json after = status_of(sweep_);
  EXPECT_EQ(after.at("counts").at("done"), 3) << after.dump(1);
  EXPECT_EQ(after["runs"][1]["id"], id);
  EXPECT_TRUE(report_becomes("done"));  // the new one
  EXPECT_EQ(after["runs"][0]["starts"], 1);
}

}  // namespace
}  // namespace lacuna::tests
