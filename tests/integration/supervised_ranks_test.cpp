// `lacuna train --ranks` with real ranks: killed, stopped and resumed as a user's would be.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/process/child_process.h"
#include "base/text/json.h"
#include "coordinator/supervisor/leftovers.h"
#include "coordinator/supervisor/supervisor.h"
#include "tests/integration/small_cohort.h"

namespace lacuna::tests {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

constexpr int kSupervisedSteps = 16;
constexpr double kDeadline = 180;  // seconds for anything; never reached on a machine that works

std::string name_of(pid_t pid) {
  std::string name = read_text("/proc/" + std::to_string(pid) + "/comm");
  return name.substr(0, name.find('\n'));
}

class SupervisedRanks : public ::testing::Test {
 protected:
  static const Scratch& folder() {
    static const Scratch scratch;
    static const bool written = [] {
      std::ofstream(scratch / "run.json") << small_run(kSupervisedSteps).dump();
      return true;
    }();
    EXPECT_TRUE(written);
    return scratch;
  }

  // A run on two ranks that nothing happens to.
  static const fs::path& undisturbed() {
    static const fs::path path = [] {
      SupervisedRanks().start("whole", {});
      return folder() / "whole";
    }();
    return path;
  }

  void TestBody() override {}

  std::unique_ptr<ChildProcess> launch(const std::string& out,
                                       const std::vector<std::string>& more) {
    ChildOptions options;
    options.command = {std::getenv("LACUNA_PROGRAM"),
                       "train",
                       folder().text("run.json"),
                       "--quiet",
                       "--out",
                       folder().text(out),
                       "--ranks",
                       "2"};
    options.command.insert(options.command.end(), more.begin(), more.end());
    options.capture_output = options.capture_error = true;
    return std::make_unique<ChildProcess>(options);
  }

  // Runs to the end; each of `deeds` is done once, in order, as soon as a step after the one before
  // has been logged.
  int start(const std::string& out, const std::vector<std::string>& more,
            const std::vector<std::function<void(ChildProcess&)>>& deeds = {}) {
    const auto child = launch(out, more);
    std::size_t done = 0, seen = logged(out);
    std::optional<int> code;
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::duration<double>(kDeadline);
    while (!(code = child->wait(0.002))) {
      if (done < deeds.size() && logged(out) > seen && ranks_run(out)) {
        seen = logged(out);
        deeds[done++](*child);
      }
      if (std::chrono::steady_clock::now() > deadline) {
        ADD_FAILURE() << "does not end";
        code = child->end(1);
      }
    }
    EXPECT_EQ(done, deeds.size());
    error_ = child->take_error();
    SCOPED_TRACE(error_);
    expect_nothing_left(out);
    return *code;
  }

  static std::size_t logged(const std::string& out) {
    const std::string text = read_text(folder() / out / "metrics.jsonl");
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }
  static std::vector<pid_t> processes(const std::string& out, const std::string& name) {
    std::vector<pid_t> found;
    for (const pid_t pid : coordinator::processes_of(coordinator::run_id(folder() / out))) {
      if (name_of(pid) == name) found.push_back(pid);
    }
    return found;
  }
  static bool ranks_run(const std::string& out) { return processes(out, "lacuna").size() == 2; }

  static std::function<void(ChildProcess&)> kill_one(const std::string& out,
                                                     const std::string& name, std::size_t which) {
    return [=](ChildProcess&) {
      const auto victims = processes(out, name);
      ASSERT_GT(victims.size(), which);
      ::kill(victims[which], SIGKILL);
    };
  }
  static std::function<void(ChildProcess&)> send(int signal) {
    return [=](ChildProcess& child) { child.signal(signal); };
  }

  // When the supervisor was killed, its ranks need a moment.
  static void expect_nothing_left(const std::string& out) {
    const std::string id = coordinator::run_id(folder() / out);
    for (int i = 0; i < 1000 && !coordinator::processes_of(id).empty(); ++i) ::usleep(10'000);
    EXPECT_THAT(coordinator::processes_of(id), IsEmpty());
  }
  static void expect_no_shared_memory(const std::string& out) {
    const std::string id = coordinator::run_id(folder() / out);
    EXPECT_FALSE(fs::exists("/dev/shm/lacuna-" + std::to_string(::geteuid()) + "-" + id));
  }
  static void expect_same_result(const std::string& out) {
    for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
      const fs::path at = fs::path("checkpoints") / "step-00000016" / file;
      const std::string bytes = read_text(undisturbed() / at);
      ASSERT_FALSE(bytes.empty());
      EXPECT_TRUE(bytes == read_text(folder() / out / at)) << file;
    }
  }
  static std::vector<Json> events(const std::string& out, const std::string& kind) {
    std::vector<Json> found;
    std::ifstream file(folder() / out / "supervisor.jsonl");
    for (std::string line; std::getline(file, line);) {
      const Json json = Json::parse(line);
      if (json.at("event") == kind) found.push_back(json);
    }
    return found;
  }

  std::string error_;
};

TEST_F(SupervisedRanks, AfterKillsOfARankAndOfMpirunTheResultIsBitEqual) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::size_t victim = random() % 2;
  std::vector<std::function<void(ChildProcess&)>> deeds = {kill_one("killed", "lacuna", victim),
                                                           kill_one("killed", "mpirun", 0)};
  std::shuffle(deeds.begin(), deeds.end(), random);
  // Idle deeds: the first kill comes after a random step.
  for (unsigned wait = random() % 3; wait > 0; --wait) {
    deeds.insert(deeds.begin(), [](ChildProcess&) {});
  }
  EXPECT_EQ(start("killed", {}, deeds), 0) << error_;
  expect_same_result("killed");
  expect_no_shared_memory("killed");
  const auto lost = events("killed", "lost");
  ASSERT_EQ(lost.size(), 2u);
  std::string reasons;
  for (const Json& each : lost) reasons += each.at("reason").get<std::string>() + "\n";
  EXPECT_THAT(reasons, ::testing::ContainsRegex("rank [01] on .* was killed by signal 9"));
  EXPECT_THAT(reasons, HasSubstr("mpirun was killed by signal 9"));
}

TEST_F(SupervisedRanks, TwoLossesWithoutACheckpointEndItWith76) {
  const auto kill = kill_one("stuck", "lacuna", 0);
  EXPECT_EQ(start("stuck",
                  {"--set", "checkpoint.every_steps=1000000", "--set",
                   "checkpoint.every_seconds=1000000"},
                  {kill, kill}),
            76)
      << error_;
  EXPECT_THAT(error_, HasSubstr("gave up: two losses without a new checkpoint"));
  EXPECT_EQ(events("stuck", "start").size(), 2u);
  EXPECT_EQ(events("stuck", "give_up").size(), 1u);
  expect_no_shared_memory("stuck");
}

TEST_F(SupervisedRanks, ItGoesOnWithOneRankFewerWhenTold) {
  EXPECT_EQ(start("fewer", {"--on-restart", "fewer"}, {kill_one("fewer", "lacuna", 1)}), 0)
      << error_;
  const auto starts = events("fewer", "start");
  ASSERT_EQ(starts.size(), 2u);
  EXPECT_EQ(starts[0].at("ranks"), 2);
  EXPECT_EQ(starts[1].at("ranks"), 1);
  EXPECT_GT(starts[1].at("step"), 0);
  EXPECT_EQ(logged("fewer"), std::size_t{kSupervisedSteps});
}

TEST_F(SupervisedRanks, OnASignalItSavesEndsWith75AndResumesBitEqually) {
  EXPECT_EQ(start("stopped", {}, {send(SIGUSR2)}), 75) << error_;
  EXPECT_LT(logged("stopped"), std::size_t{kSupervisedSteps});
  EXPECT_EQ(start("stopped", {}, {send(SIGTERM)}), 75) << error_;
  EXPECT_LT(logged("stopped"), std::size_t{kSupervisedSteps});
  expect_no_shared_memory("stopped");
  EXPECT_EQ(start("stopped", {}), 0) << error_;
  expect_same_result("stopped");
}

TEST_F(SupervisedRanks, WhenTheSupervisorIsKilledItsRanksEndAndTheSameCommandGoesOn) {
  EXPECT_EQ(start("orphaned", {}, {send(SIGKILL)}), 128 + SIGKILL);
  EXPECT_EQ(start("orphaned", {}), 0) << error_;
  expect_same_result("orphaned");
  expect_no_shared_memory("orphaned");
}

TEST_F(SupervisedRanks, ABadConfigurationEndsWith2AndStartsNothing) {
  const std::string command = "train " + folder().text("run.json") + " --ranks 2 --out ";
  const auto bad_key = run_program(command + folder().text("bad") + " --set train.stepz=3");
  EXPECT_EQ(bad_key.code, 2);
  EXPECT_THAT(bad_key.err, HasSubstr("train.stepz"));
  const auto bad_split = run_program(command + folder().text("bad") + " --set data.split=none");
  EXPECT_EQ(bad_split.code, 2);
  EXPECT_FALSE(fs::exists(folder() / "bad"));
  const std::string whole = undisturbed().string();
  const auto starts = events("whole", "start").size();
  const auto other_run = run_program(command + whole + " --set train.seed=2");
  EXPECT_EQ(other_run.code, 2);
  EXPECT_THAT(other_run.err, HasSubstr("train.seed"));
  EXPECT_EQ(events("whole", "start").size(), starts);
  EXPECT_EQ(run_program(command + whole + " --launcher solo").code, 2);
}

std::vector<Json> rank_findings(const CommandResult& result) {
  std::vector<Json> found;
  const Json json = Json::parse(result.output);
  for (const Json& finding : json.at("findings")) {
    if (finding.at("topic") == "ranks") found.push_back(finding);
  }
  return found;
}

CommandResult doctor(const std::string& path, const std::vector<std::string>& more) {
  const Scratch scratch;
  ChildOptions options;
  options.command = {std::getenv("LACUNA_PROGRAM"), "doctor", "--json", "--dir",
                     scratch.path().string()};
  options.command.insert(options.command.end(), more.begin(), more.end());
  if (!path.empty()) options.environment["PATH"] = path;
  return run_command(options, kDeadline);
}

TEST(DoctorRanks, SumsOverRanksAndChecksTheSum) {
  const auto findings = rank_findings(doctor("", {"--ranks", "3"}));
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].at("name"), "2 ranks");
  EXPECT_EQ(findings[1].at("name"), "3 ranks");
  for (const Json& finding : findings) {
    EXPECT_NE(finding.at("verdict"), "problem") << finding;
    EXPECT_THAT(finding.at("value").get<std::string>(), HasSubstr("64 MB summed in"));
  }
}

TEST(DoctorRanks, AMissingMpirunAndOneThatHangsAreNamed) {
  const auto missing = doctor("/nonexistent", {"--ranks", "2"});
  EXPECT_EQ(missing.code, 1);
  ASSERT_EQ(rank_findings(missing).size(), 1u);
  EXPECT_THAT(rank_findings(missing)[0].at("value").get<std::string>(), HasSubstr("openmpi-bin"));

  const Scratch folder;
  std::ofstream(folder / "mpirun") << "#!/bin/sh\nexec sleep 1000\n";
  fs::permissions(folder / "mpirun", fs::perms::owner_all);
  const auto hangs =
      doctor(folder.path().string() + ":/bin:/usr/bin", {"--ranks", "2", "--deadline", "1"});
  EXPECT_EQ(hangs.code, 1);
  ASSERT_EQ(rank_findings(hangs).size(), 1u);
  EXPECT_THAT(rank_findings(hangs)[0].at("value").get<std::string>(), HasSubstr("within 1 s"));
}

}  // namespace
}  // namespace lacuna::tests
