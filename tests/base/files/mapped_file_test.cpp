#include "base/files/mapped_file.h"

#include <atomic>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/files/temporary_directory.h"

namespace lacuna {
namespace {

class MappedFileTest : public ::testing::Test {
 protected:
  MappedFileTest() { std::ofstream(path_, std::ios::binary) << std::string(5 * page_, 'x'); }
  const std::size_t page_ = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  TemporaryDirectory folder_;
  const std::filesystem::path path_ = folder_ / "file";
};

// Without a handler the first read behind the new end is the end of the program (SIGBUS).
TEST_F(MappedFileTest, WhatIsGoneReadsAsZerosAndIsTold) {
  const MappedFile whole(path_);
  MappedFile moved = MappedFile(path_);
  EXPECT_EQ(whole.bytes()[4 * page_], std::byte{'x'});
  EXPECT_FALSE(whole.lost());
  std::filesystem::resize_file(path_, 2 * page_ - 7);
  EXPECT_EQ(whole.bytes()[0], std::byte{'x'});
  EXPECT_EQ(whole.bytes()[2 * page_ - 8], std::byte{'x'});
  EXPECT_FALSE(whole.lost());
  std::vector<std::thread> threads;
  std::atomic<int> zeros{0};
  for (std::size_t page = 2; page < 5; ++page) {
    threads.emplace_back([&, page] { zeros += whole.bytes()[page * page_ + 1] == std::byte{0}; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(zeros, 3);
  EXPECT_TRUE(whole.lost());
  EXPECT_FALSE(moved.lost());  // each has its own; this one has not been read there
  const MappedFile taken(std::move(moved));
  EXPECT_EQ(taken.bytes()[3 * page_], std::byte{0});
  EXPECT_TRUE(taken.lost());
}

TEST_F(MappedFileTest, OtherBusErrorsAndReusedEntriesAreNotMistaken) {
  { const MappedFile first(path_); }
  const MappedFile second(path_);
  EXPECT_FALSE(second.lost());
  EXPECT_EXIT(
      {
        std::raise(SIGBUS);
        std::raise(SIGBUS);
      },
      ::testing::KilledBySignal(SIGBUS), "");
}

}  // namespace
}  // namespace lacuna
