#include "base/process/signals.h"

#include <csignal>

#include <gtest/gtest.h>

#include "base/error.h"

namespace lacuna {
namespace {

TEST(StopSignals, RemembersTheFirstRequest) {
  const StopSignals signals;
  EXPECT_EQ(signals.pending(), 0);
  std::raise(SIGUSR2);
  std::raise(SIGTERM);
  EXPECT_EQ(signals.pending(), SIGUSR2);
  EXPECT_STREQ(signal_name(signals.pending()), "SIGUSR2");
}

// A closed terminal or a lost connection ends the run as a request to stop does: with a save.
TEST(StopSignals, AClosedTerminalIsARequestToStopUnlessItIsIgnored) {
  {
    const StopSignals signals;
    std::raise(SIGHUP);
    EXPECT_EQ(signals.pending(), SIGHUP);
    EXPECT_STREQ(signal_name(SIGHUP), "SIGHUP");
  }
  const auto before = std::signal(SIGHUP, SIG_IGN);  // as nohup does
  {
    const StopSignals signals;
    std::raise(SIGHUP);
    EXPECT_EQ(signals.pending(), 0);
  }
  std::signal(SIGHUP, before);
}

TEST(StopSignals, PutsTheFormerHandlerBack) {
  static int seen = 0;
  const auto before = std::signal(SIGTERM, [](int number) { seen = number; });
  {
    const StopSignals signals;
    std::raise(SIGTERM);
    EXPECT_EQ(seen, 0);
  }
  std::raise(SIGTERM);
  EXPECT_EQ(seen, SIGTERM);
  std::signal(SIGTERM, before);
}

TEST(StopSignals, StartsAfreshAndExistsOnce) {
  {
    const StopSignals signals;
    std::raise(SIGTERM);
    EXPECT_THROW(StopSignals(), Error);
  }
  EXPECT_EQ(StopSignals().pending(), 0);
}

TEST(StopSignalsDeathTest, SecondInterruptEndsTheProcess) {
  EXPECT_EXIT(
      {
        const StopSignals signals;
        std::raise(SIGINT);
        if (signals.pending() != SIGINT) std::abort();
        std::raise(SIGINT);
      },
      ::testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace lacuna
