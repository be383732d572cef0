#include "base/text/progress.h"

#include <sstream>

#include <gtest/gtest.h>

#include "tests/base/fake_clock.h"

namespace lacuna {
namespace {

TEST(Progress, WritesPlainLinesAtAModestRate) {
  FakeClock clock;
  std::ostringstream out;
  Progress progress("ingest", "cases", 40, ProgressStyle::kLines, clock, out);
  for (int i = 0; i < 40; ++i) {
    clock.advance(0.5);  // a line each 10 seconds: after 20 and after 40 cases
    progress.advance();
  }
  progress.finish();
  EXPECT_EQ(out.str(),
            "ingest  20/40 cases  2 cases/s, 10 s left\n"
            "ingest  40/40 cases  2 cases/s, took 20 s\n");
}

TEST(Progress, RedrawsOneLineOnATerminal) {
  FakeClock clock;
  std::ostringstream out;
  {
    Progress progress("train", "steps", 4, ProgressStyle::kBar, clock, out);
    clock.advance(1);
    progress.update(2, "loss 0.25");
    clock.advance(0.05);  // too soon to draw again
    progress.update(3, "loss 0.125");
    clock.advance(0.95);
    progress.update(4);
  }
  // The rate counts from the first position, 2: two steps in two seconds.
  EXPECT_EQ(out.str(),
            "\rtrain  [############            ] 2/4 steps  loss 0.25"
            "\rtrain  [########################] 4/4 steps  1 steps/s, took 2.0 s\n");
}

// "26.9 s each, 4 h left" for a run of minutes: the first step pays for start-up.
TEST(Progress, TheFirstStepSaysNothingAboutTheRest) {
  FakeClock clock;
  std::ostringstream out;
  Progress progress("train", "steps", 500, ProgressStyle::kLines, clock, out);
  clock.advance(30);
  progress.update(0);
  const auto step = [&](int done, double seconds) {
    clock.advance(seconds);
    out.str("");
    progress.update(done);
    return out.str();
  };
  EXPECT_EQ(step(1, 27), "train  1/500 steps\n");
  EXPECT_EQ(step(2, 10), "train  2/500 steps\n");
  EXPECT_EQ(step(3, 10), "train  3/500 steps  10 s each, 1 h 22 min left\n");
  // One slow step among few changes nothing.
  EXPECT_EQ(step(4, 500), "train  4/500 steps  10 s each, 1 h 22 min left\n");
  EXPECT_EQ(step(5, 10), "train  5/500 steps  10 s each, 1 h 22 min left\n");
  for (int done = 6; done < 120; ++done) step(done, 10);
  // Among many it counts as much as it took.
  EXPECT_EQ(step(120, 1010), "train  120/500 steps  20 s each, 2 h 06 min left\n");
}

TEST(Progress, IsQuietWhenAsked) {
  FakeClock clock;
  std::ostringstream out;
  Progress progress("ingest", "cases", 2, ProgressStyle::kQuiet, clock, out);
  clock.advance(100);
  progress.advance(2);
  progress.finish();
  EXPECT_EQ(out.str(), "");
  EXPECT_EQ(progress_style(true), ProgressStyle::kQuiet);
}

TEST(FormatDuration, UsesTwoUnitsAtMost) {
  EXPECT_EQ(format_duration(0.04), "0.0 s");
  EXPECT_EQ(format_duration(9.96), "10 s");
  EXPECT_EQ(format_duration(59.4), "59 s");
  EXPECT_EQ(format_duration(59.6), "1 min 00 s");
  EXPECT_EQ(format_duration(3725), "1 h 02 min");
}

}  // namespace
}  // namespace lacuna
