#include "base/files/lease.h"

#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files/held_error.h"
#include "base/files/temporary_directory.h"
#include "base/text/json.h"
#include "tests/base/fake_clock.h"

namespace lacuna {
namespace {

using ::testing::HasSubstr;

std::string refusal(const Path& directory, const Clock& clock) {
  try {
    const Lease lease(directory, 60, clock);
  } catch (const HeldError& error) {
    return error.what();
  }
  return "no error";
}

void write_foreign_lease(const Path& directory, double heartbeat) {
  const Json json = {{"host", "elsewhere"},
                     {"pid", 42},
                     {"start", heartbeat - 100},
                     {"heartbeat", heartbeat},
                     {"stale_seconds", 60}};
  write_durably(posix_file_system(), directory / "lease", json.dump());
}

TEST(Lease, RefusesASecondWriterAndNamesTheFirst) {
  const TemporaryDirectory directory;
  FakeClock clock;
  {
    const Lease lease(directory.path(), 60, clock);
    clock.advance(1000);  // a living owner keeps its lock, however old its heartbeat looks
    const std::string message = refusal(directory.path(), clock);
    EXPECT_THAT(message, HasSubstr(directory.path().string() + ": another process writes"));
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

TEST(Lease, WaitsForTheStaleLimitOfAnotherHost) {
  const TemporaryDirectory directory;
  FakeClock clock;
  write_foreign_lease(directory.path(), clock.unix_seconds());
  clock.advance(59);
  EXPECT_THAT(refusal(directory.path(), clock), HasSubstr("process 42 on elsewhere"));
  clock.advance(1);
  EXPECT_EQ(refusal(directory.path(), clock), "no error");
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

TEST(Lease, NeedsADirectory) {
  EXPECT_THAT(refusal("/none", steady_clock()), HasSubstr("/none/lease: cannot be opened"));
}

}  // namespace
}  // namespace lacuna
