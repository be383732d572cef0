#include "base/files/file_system.h"

#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "tests/base/faulty_file_system.h"

namespace lacuna {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string text_of(const Path& path) {
  const auto bytes = posix_file_system().read(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(PosixFileSystem, ReadsBackWhatWasWritten) {
  const TemporaryDirectory directory;
  std::string large(300'000, 'x');
  large.back() = '\n';
  write_durably(posix_file_system(), directory / "large", large);
  write_durably(posix_file_system(), directory / "empty", std::string());
  EXPECT_EQ(text_of(directory / "large"), large);
  EXPECT_EQ(text_of(directory / "empty"), "");
  EXPECT_THAT(posix_file_system().list(directory.path()), ElementsAre("empty", "large"));
}

TEST(PosixFileSystem, NamesThePathAndTheReason) {
  const TemporaryDirectory directory;
  FileSystem& files = posix_file_system();
  const auto message = [](auto&& action) -> std::string {
    try {
      action();
    } catch (const DataError& error) {
      return error.what();
    }
    return "no error";
  };
  const Path missing = directory / "none" / "file";
  EXPECT_EQ(message([&] { files.read(missing); }),
            missing.string() + ": cannot open: No such file or directory. Check the path.");
  EXPECT_THAT(message([&] { files.create(missing); }), HasSubstr("cannot create"));
  EXPECT_THAT(message([&] { files.list(missing); }), HasSubstr("cannot list"));
  EXPECT_THAT(message([&] { files.remove(missing); }), HasSubstr("No such file"));
  EXPECT_THAT(message([&] { files.read(directory.path()); }), HasSubstr("Is a directory"));
}

// A device that is always full: the real system call's failure, not a fake's.
TEST(PosixFileSystem, ReportsAFullDisk) {
  const auto file = posix_file_system().create("/dev/full");
  try {
    file->append(std::as_bytes(std::span("text")));
    FAIL() << "a full device accepted a write";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("No space left on device. Free some space"));
  }
}

class WriteDurably : public ::testing::Test {
 protected:
  WriteDurably() {
    posix_file_system().make_directories(data_);
    write_durably(posix_file_system(), file_, std::string("old"));
  }

  TemporaryDirectory directory_, stash_;
  Path data_ = directory_ / "data", file_ = data_ / "file";
  FaultyFileSystem files_{stash_.path()};
};

TEST_F(WriteDurably, SurvivesAPowerCutOnceItReturned) {
  write_durably(files_, file_, std::string("new"));
  files_.crash();
  EXPECT_EQ(text_of(file_), "new");
}

TEST_F(WriteDurably, KeepsTheOldFileWhenTheDiskIsFull) {
  files_.free_bytes = 2;
  EXPECT_THROW(write_durably(files_, file_, std::string("new")), DataError);
  EXPECT_EQ(text_of(file_), "old");
  EXPECT_THAT(posix_file_system().list(data_), ElementsAre("file")) << "a partial file was left";
}

TEST_F(WriteDurably, HoldsOldOrNewBytesWholeAfterAFailureAtAnyCallAndAPowerCut) {
  write_durably(files_, file_, std::string("old"));
  const std::int64_t calls = files_.calls;
  EXPECT_EQ(calls, 6);  // create, append, sync, close, rename, sync_directory
  for (const auto names : {FaultyFileSystem::Names::kLost, FaultyFileSystem::Names::kKept}) {
    for (std::int64_t n = 0; n < calls; ++n) {
      write_durably(posix_file_system(), file_, std::string("old"));
      files_.calls_before_failure = n;
      EXPECT_THROW(write_durably(files_, file_, std::string("newer")), DataError);
      files_.calls_before_failure = std::numeric_limits<std::int64_t>::max();
      files_.crash(names);
      const std::string text = text_of(file_);
      EXPECT_TRUE(text == "old" || text == "newer") << "after call " << n << ": " << text;
    }
  }
}

// The fake must be able to show the mistakes that write_durably() avoids.
TEST_F(WriteDurably, FakeLosesUnsyncedBytesAndNames) {
  const auto write = [&](const Path& path, bool sync) {
    const auto file = files_.create(path);
    file->append(std::as_bytes(std::span("12345", 5)));
    if (sync) file->sync();
    file->close();
  };
  write(data_ / "partial", false);
  files_.rename(data_ / "partial", file_);
  files_.crash(FaultyFileSystem::Names::kKept);
  EXPECT_EQ(text_of(file_), "") << "renamed before the data was synced";

  write(data_ / "unlisted", true);
  files_.crash();
  EXPECT_FALSE(posix_file_system().exists(data_ / "unlisted"));

  files_.make_directories(data_ / "step.partial");
  files_.rename(data_ / "step.partial", data_ / "step");
  files_.crash();
  EXPECT_THAT(posix_file_system().list(data_), ElementsAre("file"));

  // The directory's name is durable after the second sync, the file inside never was.
  files_.make_directories(data_ / "step.partial");
  write(data_ / "step.partial" / "state", true);
  files_.rename(data_ / "step.partial", data_ / "step");
  files_.sync_directory(data_);
  files_.crash();
  EXPECT_THAT(posix_file_system().list(data_), ElementsAre("file", "step"));
  EXPECT_THAT(posix_file_system().list(data_ / "step"), ElementsAre());

  files_.remove(file_);
  files_.crash();
  EXPECT_TRUE(posix_file_system().exists(file_)) << "the removal was never synced";
}

}  // namespace
}  // namespace lacuna
