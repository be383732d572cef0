// Trainings on a real SLURM that are interrupted in every way it has, and end bit-equal to one that
// was not.
#include <csignal>
#include <fstream>

#include <gmock/gmock.h>

#include "base/files/lease.h"
#include "base/text/json.h"
#include "tests/integration/slurm_arrays.h"
#include "tests/integration/small_cohort.h"

namespace lacuna::tests {
namespace {

namespace fs = std::filesystem;
using slurm::TaskState;
using slurm::TaskStatus;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kSlurmSteps = 16;

class SlurmTraining : public SlurmArrays {
 protected:
  static const Scratch& shared() {
    static const Scratch scratch;
    return scratch;
  }

  static std::string run_file() {
    static const std::string path = [] {
      std::ofstream(shared() / "run.json") << small_run(kSlurmSteps).dump();
      return shared().text("run.json");
    }();
    return path;
  }

  // Of a training on so many ranks that nothing happens to, outside SLURM.
  static std::string undisturbed(int ranks) {
    static std::map<int, std::string> made;
    std::string& bytes = made[ranks];
    if (bytes.empty()) {
      const std::string out = shared().text("whole" + std::to_string(ranks));
      const auto result = run_program("train " + run_file() + " --quiet --launcher " +
                                      (ranks == 1 ? "solo" : "mpirun") + " --ranks " +
                                      std::to_string(ranks) + " --out " + out);
      EXPECT_EQ(result.code, 0) << result.err;
      bytes = weights(out);
    }
    return bytes;
  }
  static std::string weights(const fs::path& run) {
    return read_text(run / "checkpoints" / "step-00000016" / "model.safetensors") +
           read_text(run / "checkpoints" / "step-00000016" / "optimizer.safetensors");
  }

  slurm::ArrayRequest training(const std::vector<std::string>& runs, int ranks,
                               const std::string& launcher = "srun") const {
    std::vector<std::string> command = {
        std::getenv("LACUNA_PROGRAM"), "train",   run_file(),           "--quiet", "--out",
        folder_.text("runs/{task}"),   "--ranks", std::to_string(ranks)};
    if (ranks > 1) command.insert(command.end(), {"--launcher", launcher});
    auto array = request(runs, command);
    array.progress = folder_.text("runs/{task}/checkpoints");
    array.resources.nodes = array.resources.ranks = ranks;  // a rank on each node
    array.resources.cpus_per_rank = 4;                      // and nobody beside it
    return array;
  }

  fs::path run(const std::string& name) const { return folder_ / "runs" / name; }
  std::size_t logged(const std::string& name) const {
    const std::string text = read_text(run(name) / "metrics.jsonl");
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }
  void wait_for_steps(const std::string& name, std::size_t steps) const {
    wait_until("steps of the training", [&] { return logged(name) >= steps; });
  }
  std::vector<std::string> events(const std::string& name, const std::string& kind) const {
    std::vector<std::string> found;
    std::ifstream file(run(name) / "events.jsonl");
    for (std::string line; std::getline(file, line);) {
      if (Json::parse(line).at("event") == kind) found.push_back(line);
    }
    return found;
  }
  TaskState state_of(const std::string& job, int index) {
    for (const TaskState& each : scheduler_.query({job})) {
      if (each.index == index) return each;
    }
    return {};
  }
  // The process that writes to the run, on whichever node: all are this host.
  pid_t writer(const std::string& name) const {
    const auto owner = read_lease(run(name));
    return owner ? static_cast<pid_t>(owner->pid) : 0;
  }
  void expect_same(const std::string& name, int ranks) const {
    const std::string bytes = weights(run(name));
    ASSERT_FALSE(bytes.empty()) << name;
    EXPECT_TRUE(bytes == undisturbed(ranks)) << name << " differs";
    EXPECT_EQ(logged(name), std::size_t{kSlurmSteps});
    EXPECT_EQ(events(name, "done").size(), 1u);
  }
};

TEST_F(SlurmTraining, TimeLimitRequeueAndALostNodeEndBitEqual) {
  // Three interruptions side by side: the wish that comes before the time limit, a requeue by
  // SLURM, a node that goes down (and comes back by itself: its daemon lives).
  const std::string job = submit(training({"limit", "requeue", "node"}, 1));
  wait_for_steps("limit", 1);
  PrivateCluster::call({"scancel", "--batch", "--signal=USR2", job + "_0"});
  wait_for_steps("requeue", 1);
  PrivateCluster::call({"scontrol", "requeue", job + "_1"});
  wait_for_steps("node", 1);
  const std::string node = state_of(job, 2).nodes;
  PrivateCluster::call({"scontrol", "update", "NodeName=" + node, "State=DOWN", "Reason=test"});
  const auto states = wait_for_end({job}, 3);
  const char* names[] = {"limit", "requeue", "node"};
  for (std::size_t i = 0; i < 3; ++i) {
    SCOPED_TRACE(names[i]);
    EXPECT_EQ(states[i].status, TaskStatus::kDone) << states[i].reason;
    EXPECT_GE(states[i].restarts, 1);
    EXPECT_FALSE(events(names[i], "resume").empty());
    expect_same(names[i], 1);
  }
}

TEST_F(SlurmTraining, TwoRanksOnTwoNodesThroughSrunSurviveAKilledRankAndARequeue) {
  // Beside it, on the other two nodes, what a site without pmix does.
  auto other = training({"mpirun"}, 2, "mpirun");
  other.name += ".mpirun";
  const std::string job = submit(training({"pair"}, 2)), beside = submit(other);
  wait_for_steps("pair", 2);
  const pid_t first = writer("pair");
  ASSERT_GT(first, 0);
  ::kill(first, SIGKILL);
  wait_until("the restart", [&] {
    const pid_t now = writer("pair");
    return now != 0 && now != first && logged("pair") >= 4;
  });
  PrivateCluster::call({"scancel", "--batch", "--signal=USR2", job + "_0"});
  const auto states = wait_for_end({job, beside}, 2);
  EXPECT_EQ(states[0].status, TaskStatus::kDone) << states[0].reason;
  EXPECT_EQ(states[1].status, TaskStatus::kDone) << states[1].reason;
  EXPECT_EQ(states[0].restarts, 1);
  EXPECT_THAT(states[0].nodes, ::testing::MatchesRegex("n\\[[1-4][-,][1-4]\\]"));
  const std::string log = log_of(job, 0);
  EXPECT_THAT(log, HasSubstr("through srun (asked for)"));
  EXPECT_THAT(log, HasSubstr("restart 1 of at most 3"));
  EXPECT_THAT(log, HasSubstr("ended with code 75"));
  expect_same("pair", 2);
  EXPECT_THAT(log_of(beside, 0), HasSubstr("through mpirun (asked for)"));
  expect_same("mpirun", 2);
}

TEST_F(SlurmTraining, ALostNodeWhoseProcessesRunOnDoesNotGetASecondWriter) {
  auto& cluster = PrivateCluster::get();
  const std::string job = submit(training({"alone"}, 1));
  wait_for_steps("alone", 1);
  const pid_t old = writer("alone");
  ASSERT_GT(old, 0);
  ::kill(old, SIGSTOP);  // so that it cannot end before the node is given up
  const std::string node = state_of(job, 0).nodes;
  ::kill(cluster.daemon(node), SIGKILL);
  wait_until("the second start", [&] { return state_of(job, 0).restarts == 1; });
  // It finds the directory in use and leaves it alone.
  const auto states = wait_for_end({job}, 1);
  EXPECT_EQ(states[0].status, TaskStatus::kFailed);
  EXPECT_NE(states[0].nodes, node);
  EXPECT_THAT(log_of(job, 0), HasSubstr("another process writes to this directory"));
  EXPECT_EQ(events("alone", "start").size(), 1u);
  EXPECT_EQ(events("alone", "resume").size(), 0u);
  EXPECT_EQ(writer("alone"), old);
  ::kill(old, SIGCONT);
  wait_until("the first process to finish", [&] { return writer("alone") == 0; });
  expect_same("alone", 1);
  cluster.start_daemon(node);
  // The same task again: there is nothing left to do.
  auto again = training({"alone"}, 1);
  again.name += ".retry";
  EXPECT_EQ(wait_for_end({submit(again)}, 1)[0].status, TaskStatus::kDone);
  expect_same("alone", 1);
}

}  // namespace
}  // namespace lacuna::tests
