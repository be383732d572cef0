#include "base/files/lease.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <memory>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files/held_error.h"
#include "base/files/temporary_directory.h"
#include "base/text/json.h"
#include "tests/base/fake_clock.h"
#include "tests/base/system_calls.h"

namespace lacuna {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string refusal(const Path& directory, const Clock& clock) {
  try {
    const Lease lease(directory, 60, clock);
  } catch (const HeldError& error) {
    return error.what();
  } catch (const DataError& error) {
    return std::string("not held: ") + error.what();
  }
  return "no error";
}

std::string foreign_lease(double heartbeat, double stale_seconds) {
  const Json json = {{"host", "elsewhere"},
                     {"pid", 42},
                     {"start", heartbeat - 100},
                     {"heartbeat", heartbeat},
                     {"stale_seconds", stale_seconds}};
  return fmt::format("{:<512}\n", json.dump());
}

void write_foreign_lease(const Path& directory, double heartbeat, double stale_seconds = 60) {
  write_durably(posix_file_system(), directory / "lease", foreign_lease(heartbeat, stale_seconds));
}

// As its holder does: the file stays the same one.
void write_in_place(const Path& directory, double heartbeat, double stale_seconds = 60) {
  const std::string text = foreign_lease(heartbeat, stale_seconds);
  const int file = ::open((directory / "lease").c_str(), O_RDWR);
  EXPECT_EQ(::pwrite(file, text.data(), text.size(), 0), std::ssize(text));
  ::close(file);
}

TEST(Lease, RefusesASecondWriterAndNamesTheFirst) {
  const TemporaryDirectory directory;
  FakeClock clock;
  {
    const Lease lease(directory.path(), 60, clock);
    clock.advance(1000);  // a living owner keeps its lock, however old its heartbeat looks
    const std::string message = refusal(directory.path(), clock);
    EXPECT_TRUE(message.starts_with(directory.path().string() + ": another process writes"));
    EXPECT_THAT(message, HasSubstr(fmt::format("process {} on ", ::getpid())));
    EXPECT_THAT(message, HasSubstr("started 2023-11-14 22:13:20 UTC, last seen 1000 s ago"));
    EXPECT_EQ(read_lease(directory.path())->pid, ::getpid());
  }
  EXPECT_FALSE(std::filesystem::exists(directory / "lease")) << "released";
  EXPECT_EQ(refusal(directory.path(), clock), "no error");
}

TEST(Lease, TakesOverAtOnceFromAKilledProcessOfThisHost) {
  const TemporaryDirectory directory;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const Lease lease(directory.path());
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_THAT(refusal(directory.path(), steady_clock()),
              HasSubstr(fmt::format("process {} on ", child)));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(std::filesystem::exists(directory / "lease")) << "nobody released it";
  EXPECT_EQ(refusal(directory.path(), steady_clock()), "no error");
  ::close(ready[0]);
  ::close(ready[1]);
}

// Neither clock of the two hosts counts: an hour behind, the same, and an hour ahead.
TEST(Lease, TakesOverFromAnotherHostThatIsSilentForItsLimit) {
  for (const double skew : {-3600.0, 0.0, 3600.0}) {
    const TemporaryDirectory directory;
    FakeClock clock;
    write_foreign_lease(directory.path(), clock.unix_seconds() + skew, 0.3);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(refusal(directory.path(), clock), "no error") << skew;
    const auto took = std::chrono::steady_clock::now() - start;
    EXPECT_GE(took, std::chrono::milliseconds(300)) << skew;
    EXPECT_LT(took, std::chrono::seconds(20)) << "its own limit counts, not the usual one";
  }
}

TEST(Lease, ASignOfLifeOfAnotherHostKeepsTheDirectory) {
  for (const double skew : {-3600.0, 0.0, 3600.0}) {
    const TemporaryDirectory directory;
    FakeClock clock;
    write_foreign_lease(directory.path(), clock.unix_seconds() + skew, 0.8);
    const std::jthread owner([&](const std::stop_token& stop) {
      for (int beat = 1; !stop.stop_requested(); ++beat) {
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        write_in_place(directory.path(), clock.unix_seconds() + skew + beat, 0.8);
      }
    });
    EXPECT_THAT(refusal(directory.path(), clock),
                AllOf(HasSubstr("process 42 on elsewhere"), HasSubstr("another process writes"),
                      ::testing::Not(HasSubstr("not held"))));
    EXPECT_EQ(read_lease(directory.path())->host, "elsewhere");
  }
}

// The lock of a host that died can stay behind on a file server: a new file takes the name.
TEST(Lease, ALockThatOutlivesItsHostIsBroken) {
  const TemporaryDirectory directory;
  FakeClock clock;
  write_foreign_lease(directory.path(), clock.unix_seconds(), 0.3);
  const int stale = ::open((directory / "lease").c_str(), O_RDWR);
  ASSERT_EQ(::flock(stale, LOCK_EX), 0);
  {
    const Lease lease(directory.path(), 60, clock);
    EXPECT_EQ(read_lease(directory.path())->pid, ::getpid());
    // Whoever comes now finds the new file locked, whatever happens to the old one.
    EXPECT_THAT(refusal(directory.path(), clock), HasSubstr("another process writes"));
  }
  EXPECT_THAT(posix_file_system().list(directory.path()), ::testing::IsEmpty());
  ::close(stale);
}

TEST(Lease, TornLeaseFileDoesNotLockAnyoneOut) {
  const TemporaryDirectory directory;
  FakeClock clock;
  write_durably(posix_file_system(), directory / "lease", std::string(R"({"host": "else)"));
  EXPECT_EQ(refusal(directory.path(), clock), "no error");
}

TEST(Lease, RenewsItsHeartbeatAndNoticesALoss) {
  const TemporaryDirectory directory;
  FakeClock clock;
  Lease lease(directory.path(), 60, clock);
  clock.advance(30);
  lease.renew();
  EXPECT_EQ(read_lease(directory.path())->heartbeat, clock.unix_seconds());
  EXPECT_FALSE(lease.lost());
  write_foreign_lease(directory.path(), clock.unix_seconds());
  lease.renew();
  EXPECT_TRUE(lease.lost());
  EXPECT_EQ(read_lease(directory.path())->host, "elsewhere") << "a loser must not write";
}

// It was stopped for so long that another host took the file over as it lies.
TEST(Lease, NoticesThatAnotherOwnerWroteIntoItsFile) {
  const TemporaryDirectory directory;
  FakeClock clock;
  {
    Lease lease(directory.path(), 60, clock);
    write_in_place(directory.path(), clock.unix_seconds());
    lease.renew();
    EXPECT_TRUE(lease.lost());
  }
  EXPECT_TRUE(std::filesystem::exists(directory / "lease")) << "a loser must not remove it";
  EXPECT_EQ(read_lease(directory.path())->host, "elsewhere");
}

TEST(Lease, ALoserDoesNotRemoveTheFileOfTheNewOwner) {
  const TemporaryDirectory directory;
  FakeClock clock;
  {
    const Lease lease(directory.path(), 60, clock);
    write_foreign_lease(directory.path(), clock.unix_seconds());  // and nobody has noticed yet
  }
  EXPECT_EQ(read_lease(directory.path())->host, "elsewhere");
}

TEST(Lease, RenewsByItselfAndOntoTheDisk) {
  const TemporaryDirectory directory;
  SystemCalls calls(directory.path());
  const Lease lease(directory.path(), 0.2);
  const double first = read_lease(directory.path())->heartbeat;
  EXPECT_EQ(read_lease(directory.path())->stale_seconds, 0.2);
  for (int i = 0; i < 200 && read_lease(directory.path())->heartbeat == first; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_GT(read_lease(directory.path())->heartbeat, first);
  const auto made = calls.made();
  EXPECT_GE(std::count(made.begin(), made.end(), "fdatasync lease"), 2);
  EXPECT_FALSE(lease.lost());
}

// Who opens the file just before its owner removes it holds a lock on nothing.
TEST(Lease, AtMostOneIsInside) {
  const TemporaryDirectory directory;
  std::atomic<int> inside{0}, entered{0}, together{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 150; ++i) {
          try {
            const Lease lease(directory.path());
            together += ++inside > 1;
            ++entered;
            std::this_thread::yield();
            --inside;
          } catch (const HeldError&) {
          }
        }
      });
    }
  }
  EXPECT_EQ(together, 0);
  EXPECT_GT(entered, 10);
}

// The same at the very moment: the second one has opened the file when the first removes it.
TEST(Lease, AFileThatIsRemovedBetweenOpeningAndLockingIsNotTaken) {
  const TemporaryDirectory directory;
  auto first = std::make_unique<Lease>(directory.path());
  SystemCalls calls(directory.path());
  calls.before("flock", [&] { first.reset(); });
  const Lease second(directory.path());
  EXPECT_EQ(first, nullptr);
  EXPECT_TRUE(std::filesystem::exists(directory / "lease"));
  EXPECT_THAT(refusal(directory.path(), steady_clock()), HasSubstr("another process writes"));
}

TEST(Lease, AFileSystemWithoutLocksIsNamedWithAWayOut) {
  const TemporaryDirectory directory;
  for (const int error : {ENOLCK, ENOSYS, EOPNOTSUPP}) {
    SystemCalls calls(directory.path());
    calls.fail("flock", error);
    EXPECT_THAT(
        refusal(directory.path(), steady_clock()),
        AllOf(HasSubstr("cannot be locked"), HasSubstr("on another one"), HasSubstr("flock")));
  }
  SystemCalls calls(directory.path());
  calls.fail("flock", EINTR);
  EXPECT_EQ(refusal(directory.path(), steady_clock()), "no error");
}

TEST(Lease, NeedsADirectory) {
  EXPECT_THAT(refusal("/none", steady_clock()), HasSubstr("/none/lease: cannot be opened"));
}

}  // namespace
}  // namespace lacuna
