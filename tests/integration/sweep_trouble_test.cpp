// What goes wrong around a sweep, as a user meets it: no SLURM or one that refuses, files of the
// sweep directory damaged one by one, a full disk. Nothing that is done may get lost.
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include "tests/integration/small_sweep.h"

namespace lacuna::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

class SweepTrouble : public ::testing::Test {
 protected:
  // One run of two steps.
  SweepTrouble() {
    Json one = definition();
    one.erase("grid");
    one["base"]["train"]["steps"] = 2;
    std::ofstream(file_) << one.dump();
  }
  CommandResult submit_here(const fs::path& sweep) const {
    return call({"sweep", "submit", file_, "--out", sweep, "--local", "1"});
  }
  // With SLURM's commands from `folder` alone.
  static CommandResult call_with(const std::string& folder,
                                 const std::vector<std::string>& arguments) {
    ChildOptions options = lacuna(arguments);
    options.environment = {{"PATH", folder}};
    return run_command(options, /*deadline_seconds=*/240);
  }
  void program(const std::string& name, const std::string& text) const {
    fs::create_directories(scratch_ / "bin");
    std::ofstream(scratch_ / "bin" / name) << "#!/bin/bash\n" << text;
    fs::permissions(scratch_ / "bin" / name, fs::perms::owner_all);
  }

  const Scratch scratch_;
  const fs::path file_ = scratch_ / "sweep.json", sweep_ = scratch_ / "sweep";
};

TEST_F(SweepTrouble, WithoutSlurmOrRefusedByItNothingIsUnderWayAndTheSameCommandGoesOn) {
  const std::vector<std::string> submit = {"sweep", "submit", file_, "--out", sweep_};
  const std::vector<std::string> status = {"sweep", "status", sweep_, "--json"};
  const CommandResult missing = call_with("/nonexistent", submit);
  EXPECT_EQ(missing.code, 1);
  EXPECT_THAT(missing.error, AllOf(HasSubstr("scontrol cannot be started"), HasSubstr("login node"),
                                   HasSubstr("local executor")));
  program("scontrol", "echo 'MaxArraySize = 1001'\n");
  program("squeue", "");
  program("sbatch", "echo 'sbatch: error: Invalid account' >&2; exit 1\n");
  const std::string bin = scratch_.text("bin");
  const CommandResult refused = call_with(bin, submit);
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.error,
              AllOf(HasSubstr("sbatch: error: Invalid account"), HasSubstr("resources.account")));
  EXPECT_EQ(Json::parse(call_with(bin, status).output)["counts"]["pending"], 1);
  // A job is made, but the one for the report is refused: the runs are what counts.
  program("sbatch", "case $* in *-report.sbatch) exit 1 ;; *) echo 7 ;; esac\n");
  const CommandResult accepted = call_with(bin, submit);
  EXPECT_EQ(accepted.code, 0) << accepted.error;
  EXPECT_THAT(accepted.output,
              AllOf(HasSubstr("job 7: 1 runs"), HasSubstr("no job writes the report"),
                    HasSubstr("lacuna sweep report " + sweep_.string())));
  // Without an answer the run counts as submitted.
  const CommandResult silent = call_with("/nonexistent", status);
  EXPECT_EQ(silent.code, 0);
  EXPECT_THAT(silent.output, HasSubstr("the batch system was not asked"));
}

TEST_F(SweepTrouble, ADamagedFileIsNamedOrMadeAnewAndNothingThatIsDoneIsLost) {
  ASSERT_EQ(submit_here(sweep_).code, 0);
  const Json before = status_of(sweep_);
  const fs::path run = before["runs"][0]["directory"].get<std::string>();
  const std::string id = before["runs"][0]["id"];
  const std::string weights =
      read_text(run / "checkpoints" / "step-00000002" / "model.safetensors");
  ASSERT_FALSE(weights.empty());
  std::ofstream(sweep_ / "submissions.jsonl") << R"({"event": "not_made", "name": "x"})"
                                              << "\n";
  for (const fs::path& file :
       {sweep_ / "sweep.json", sweep_ / "plan.json", sweep_ / "submissions.jsonl",
        sweep_ / "report.html", sweep_ / "configs" / (id + ".json"), run / "sweep.jsonl",
        run / "run.json", run / "metrics.jsonl", run / "events.jsonl"}) {
    const std::string whole = read_text(file);
    ASSERT_FALSE(whole.empty()) << file;
    for (const std::string& damaged :
         {whole.substr(0, whole.size() / 2), std::string("\xff\0{[garbage\n", 12),
          std::string("{\"runs\": 7, \"event\": {}}\n")}) {
      SCOPED_TRACE(file.string() + ": " + damaged.substr(0, 20));
      std::ofstream(file, std::ios::binary) << damaged;
      const bool planned = file.filename() == "sweep.json";  // read by plan alone
      for (const char* command : {"status", planned ? "plan" : "report"}) {
        const CommandResult result = call({"sweep", command, sweep_});
        EXPECT_THAT(result.code.value_or(-1), AnyOf(0, 1, 2)) << command;
        EXPECT_THAT(result.error, Not(HasSubstr("error: unexpected"))) << command;
        // What stops a command is named.
        if (result.code != 0) {
          EXPECT_THAT(result.error, HasSubstr(file.filename().string()));
        }
      }
      std::ofstream(file, std::ios::binary) << whole;
    }
  }
  // Without any file of the sweep but the runs, the sweep file makes it whole.
  for (const char* name : {"sweep.json", "plan.json", "submissions.jsonl", "configs", "logs"}) {
    fs::remove_all(sweep_ / name);
  }
  const CommandResult again = submit_here(sweep_);
  EXPECT_EQ(again.code, 0) << again.error;
  EXPECT_THAT(again.output, HasSubstr("1 runs are done already"));
  // A lost journal costs an evaluation, not the training.
  fs::remove(run / "sweep.jsonl");
  EXPECT_EQ(submit_here(sweep_).code, 0);
  const Json after = status_of(sweep_);
  EXPECT_EQ(after["counts"]["done"], 1);
  EXPECT_EQ(after["runs"][0]["dice"], before["runs"][0]["dice"]);
  EXPECT_TRUE(weights == read_text(run / "checkpoints" / "step-00000002" / "model.safetensors"));
}

TEST_F(SweepTrouble, AFullDiskStopsTheSweepAndWithSpaceTheSameCommandsGoOn) {
  const fs::path disk = scratch_ / "disk";
  fs::create_directories(disk);
  if (::mount("none", disk.c_str(), "tmpfs", 0, "size=120k") != 0) {
    GTEST_SKIP() << "no small disk can be mounted here (needs root)";
  }
  struct Unmount {
    const fs::path& disk;
    ~Unmount() { ::umount2(disk.c_str(), MNT_DETACH); }
  } const unmount{disk};
  const CommandResult full = submit_here(disk / "sweep");
  EXPECT_EQ(full.code, 1);
  EXPECT_THAT(full.output + full.error,
              AnyOf(HasSubstr("No space left on device"), HasSubstr("could not be saved")));
  ASSERT_EQ(::mount("none", disk.c_str(), "tmpfs", MS_REMOUNT, "size=64m"), 0);
  const CommandResult more = submit_here(disk / "sweep");
  EXPECT_EQ(more.code, 0) << more.error;
  if (more.output.find("sweep retry") != std::string::npos) {  // it had been called failed
    EXPECT_EQ(call({"sweep", "retry", disk / "sweep", "--local", "1"}).code, 0);
  }
  EXPECT_EQ(status_of(disk / "sweep")["counts"]["done"], 1);
}

}  // namespace
}  // namespace lacuna::tests
