#include "coordinator/supervisor/leftovers.h"

#include <csignal>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/process/child_process.h"

namespace lacuna::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Unlike any other test's on this machine.
std::string unique_id() {
  static int count = 0;
  return std::to_string(::getpid()) + "t" + std::to_string(count++);
}

ChildOptions marked(const std::string& script, const std::string& id) {
  ChildOptions options{{"sh", "-c", script}, {{kRunIdVariable, id}}};
  options.capture_output = true;
  return options;
}

// Waits until the script has printed something, so that its traps are set.
void await_output(ChildProcess& child) {
  for (int i = 0; i < 1000 && child.take_output().empty(); ++i) child.wait(0.01);
}

TEST(Leftovers, FindsTheProcessesOfARunAndNoOthers) {
  const std::string id = unique_id();
  ChildProcess ours(marked("echo; exec sleep 1000", id));
  ChildProcess longer_id(marked("echo; exec sleep 1000", id + "0"));
  await_output(ours);
  await_output(longer_id);
  EXPECT_THAT(processes_of(id), ElementsAre(ours.pid()));
  ours.end(0);
  EXPECT_THAT(processes_of(id), IsEmpty());
}

TEST(Leftovers, AProcessThatStaysIsKilledAlsoInAnotherGroupAndOthersLive) {
  const std::string id = unique_id();
  // In a group of its own, as mpirun puts its ranks, and deaf to SIGTERM.
  ChildProcess ours(
      marked("trap '' TERM; setsid sh -c 'trap \"\" TERM; echo; sleep 1000; sleep "
             "1000' & wait",
             id));
  ChildProcess other(marked("echo; exec sleep 1000", unique_id()));
  await_output(ours);
  await_output(other);
  EXPECT_GE(end_processes_of(id, 0), 2);
  EXPECT_EQ(ours.wait(30), 128 + SIGKILL);
  EXPECT_FALSE(other.wait(0));
}

TEST(Leftovers, AProcessThatLeavesByItselfIsNotKilled) {
  const std::string id = unique_id();
  ChildProcess ours(marked("exec sleep 0.1", id));
  EXPECT_EQ(end_processes_of(id, 30), 0);
  EXPECT_EQ(ours.wait(30), 0);
}

TEST(SharedScratch, IsEmptiedWhenMadeAgainAndRemovedAtTheEnd) {
  const std::string id = unique_id();
  std::string path;
  {
    SharedScratch killed(id);
    path = killed.path();
    ASSERT_FALSE(path.empty());
    std::ofstream(path + "/vader_segment") << "x";
    const SharedScratch next(id);
    EXPECT_EQ(next.path(), path);
    EXPECT_TRUE(std::filesystem::is_empty(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(SharedScratch, AnotherUsersFileInItsPlaceIsLeftAlone) {
  const std::string id = unique_id();
  const std::string path = "/dev/shm/lacuna-" + std::to_string(::geteuid()) + "-" + id;
  std::ofstream(path) << "not a directory";
  EXPECT_EQ(SharedScratch(id).path(), "");
  EXPECT_TRUE(std::filesystem::exists(path));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace lacuna::coordinator
