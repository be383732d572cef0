#include "coordinator/status/lines_follower.h"

#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/files/temporary_directory.h"

namespace lacuna::coordinator {
namespace {

class LinesFollowerTest : public ::testing::Test {
 protected:
  void append(const std::string& text) const { std::ofstream(path_, std::ios::app) << text; }
  void rewrite(const std::string& text) const { std::ofstream(path_) << text; }
  bool read() {
    seen_.clear();
    return follower_.read([&](std::string_view line, std::uintmax_t) { seen_.emplace_back(line); });
  }

  TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_ / "metrics.jsonl";
  LinesFollower follower_{path_};
  std::vector<std::string> seen_;
};

using Lines = std::vector<std::string>;

TEST_F(LinesFollowerTest, EachLineIsVisitedOnceAndATornOneWhenItIsWhole) {
  EXPECT_TRUE(read());  // no file yet
  append("one\ntwo\nthr");
  EXPECT_TRUE(read());
  EXPECT_EQ(seen_, (Lines{"one", "two"}));
  append("ee\nfour\n");
  EXPECT_TRUE(read());
  EXPECT_EQ(seen_, (Lines{"three", "four"}));
  EXPECT_TRUE(read());
  EXPECT_TRUE(seen_.empty());
  EXPECT_EQ(follower_.unread(), 0U);
}

TEST_F(LinesFollowerTest, AFileThatWasRewrittenIsNoticedWhateverItsLength) {
  append("step 1\nstep 2\nstep 3\n");
  EXPECT_TRUE(read());
  rewrite("step 1\n");
  EXPECT_FALSE(read());
  EXPECT_TRUE(seen_.empty());
  rewrite("step 1\nstep 2, again\nstep 3, again\n");  // longer than before
  EXPECT_FALSE(read());
  LinesFollower anew(path_);
  int lines = 0;
  EXPECT_TRUE(anew.read([&](std::string_view, std::uintmax_t) { ++lines; }));
  EXPECT_EQ(lines, 3);
}

// Several blocks of a megabyte, with lines across their borders.
TEST_F(LinesFollowerTest, LongFilesAreReadWholeAndTellWhatIsLeft) {
  std::string text;
  for (int i = 0; i < 30'000; ++i) text += std::to_string(i) + std::string(90, 'x') + "\n";
  append(text);
  std::uintmax_t seen = 0, next = 0;
  EXPECT_TRUE(follower_.read([&](std::string_view line, std::uintmax_t left) {
    seen += line.size() + 1;
    EXPECT_EQ(std::stoul(std::string(line)), next++);
    EXPECT_EQ(left, text.size() - seen);
  }));
  EXPECT_EQ(seen, text.size());
}

}  // namespace
}  // namespace lacuna::coordinator
