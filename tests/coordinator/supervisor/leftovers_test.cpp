#include "coordinator/supervisor/leftovers.h"

#include <csignal>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/files/temporary_directory.h"
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

std::string scratch_path(const std::string& id) {
  return "/dev/shm/lacuna-" + std::to_string(::geteuid()) + "-" + id;
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
  ASSERT_THAT(processes_of(id), ElementsAre(ours.pid()));  // there is one to wait for
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

// As root, who alone can give a directory away.
TEST(SharedScratch, AnotherUsersDirectoryInItsPlaceIsLeftAlone) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make a directory of another user";
  const std::string id = unique_id(), path = scratch_path(id);
  ASSERT_TRUE(std::filesystem::create_directory(path));
  ASSERT_EQ(::chown(path.c_str(), 64999, 64999), 0);
  std::ofstream(path + "/theirs") << "x";
  EXPECT_EQ(SharedScratch(id).path(), "");
  EXPECT_TRUE(std::filesystem::exists(path + "/theirs"));
  sweep_scratch();
  EXPECT_TRUE(std::filesystem::exists(path + "/theirs"));
  std::filesystem::remove_all(path);
  // Neither is a link followed, wherever it leads.
  const TemporaryDirectory elsewhere;
  std::ofstream(elsewhere / "kept") << "x";
  std::filesystem::create_directory_symlink(elsewhere.path(), path);
  EXPECT_EQ(SharedScratch(id).path(), "");
  sweep_scratch();
  EXPECT_TRUE(std::filesystem::exists(elsewhere / "kept"));
  std::filesystem::remove(path);
}

TEST(SharedScratch, ASweepTakesWhatHasNoOwnerAndNothingElse) {
  const std::string dead = unique_id(), live = unique_id(), ending = unique_id();
  for (const std::string& id : {dead, ending}) {
    std::filesystem::create_directory(scratch_path(id));
    std::ofstream(scratch_path(id) + "/vader_segment") << "x";
  }
  const SharedScratch held(live);
  ChildProcess rank(marked("echo; exec sleep 1000", ending));  // its supervisor was killed
  await_output(rank);
  EXPECT_GE(sweep_scratch(), 1);
  EXPECT_FALSE(std::filesystem::exists(scratch_path(dead)));
  EXPECT_TRUE(std::filesystem::exists(held.path()));
  EXPECT_TRUE(std::filesystem::exists(scratch_path(ending)));
  rank.end(0);
  EXPECT_GE(sweep_scratch(), 1);
  EXPECT_FALSE(std::filesystem::exists(scratch_path(ending)));
}

TEST(Leftovers, RanksAreToldFromTheirLauncherWithTheirState) {
  const std::string id = unique_id();
  ChildProcess launcher(marked("echo; exec sleep 1000", id));
  ChildOptions options = marked("echo; exec sleep 1000", id);
  options.environment["OMPI_COMM_WORLD_RANK"] = "3";
  ChildProcess rank(options);
  await_output(launcher);
  await_output(rank);
  rank.signal(SIGSTOP);
  std::vector<RankProcess> found;
  for (int i = 0; i < 1000; ++i) {
    found = rank_processes_of(id);
    if (found.size() == 1 && found[0].state == 'T') break;
    ::usleep(10'000);
  }
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].pid, rank.pid());
  EXPECT_EQ(found[0].rank, 3);
  EXPECT_EQ(found[0].state, 'T');
}

}  // namespace
}  // namespace lacuna::coordinator
