#include "base/text/log.h"

#include <chrono>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files/temporary_directory.h"

namespace lacuna {
namespace {

std::vector<std::string> lines_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// Under ThreadSanitizer this is the test of files that come while others log.
TEST(Log, AFileThatComesWhileThreadsLogHasWhatIsSaidFromThenOn) {
  const TemporaryDirectory folder;
  std::atomic<bool> stop{false};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        while (!stop) {
          log::warn("meanwhile");
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
      });
    }
    log::add_file(folder / "one.log");
    log::add_file(folder / "two.log");
    for (int i = 0; i < 20; ++i) log::info("number {}", i);
    stop = true;
  }
  ASSERT_TRUE(log::flush(20));
  for (const char* name : {"one.log", "two.log"}) {
    int next = 0;
    for (const std::string& line : lines_of(folder / name)) {
      if (line.ends_with(fmt::format(" info number {}", next))) ++next;
    }
    EXPECT_EQ(next, 20) << name;
  }
}

// The file is a pipe that nobody empties: it stands for a disk that hangs.
TEST(LogDeathTest, AFileThatHangsHoldsNobodyUp) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto hang = [] {
    const TemporaryDirectory folder;
    const std::string pipe = folder / "pipe";
    ::mkfifo(pipe.c_str(), 0600);
    ::open(pipe.c_str(), O_RDWR);
    log::add_file(pipe);
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 3000; ++i) log::info("{:0200}", i);  // ten times what a pipe holds
    const bool quick = std::chrono::steady_clock::now() - start < std::chrono::seconds(5);
    const bool all_there = log::flush(0.5);
    log::error("the last word");
    std::this_thread::sleep_for(std::chrono::seconds(1));
    std::filesystem::remove_all(pipe);
    ::_exit(quick && !all_there ? 7 : 8);
  };
  EXPECT_EXIT(hang(), ::testing::ExitedWithCode(7), "the last word");
}

TEST(LogDeathTest, WhatWasSaidIsWrittenWhenTheProcessEnds) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto end = [] {
    for (int i = 0; i < 500; ++i) log::info("number {}", i);
    std::exit(3);
  };
  EXPECT_EXIT(end(), ::testing::ExitedWithCode(3), "number 499");
}

}  // namespace
}  // namespace lacuna
