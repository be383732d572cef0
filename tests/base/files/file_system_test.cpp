#include "base/files/file_system.h"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/json_lines.h"
#include "base/files/temporary_directory.h"
#include "tests/base/faulty_file_system.h"
#include "tests/base/system_calls.h"

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

// The real class and the real calls: the fakes above stand in for all of it.
class RealCalls : public ::testing::Test {
 protected:
  std::string error_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const DataError& error) {
      return error.what();
    }
    return "no error";
  }
  void write(const std::string& text) { write_durably(posix_file_system(), file_, text); }

  TemporaryDirectory directory_;
  Path file_ = directory_ / "file";
  FileSystem& files_ = posix_file_system();
};

TEST_F(RealCalls, ADurableWriteSyncsTheFileBeforeItsNameAndTheNameBeforeItReturns) {
  SystemCalls calls(directory_.path());
  write("text");
  std::vector<std::string> made = calls.made();
  std::erase_if(made, [](const std::string& call) { return call.starts_with("write "); });
  ASSERT_EQ(made.size(), 5);
  EXPECT_TRUE(made[0].starts_with("fsync file.") || made[0].starts_with("fsync .file.")) << made[0];
  const std::string partial = made[0].substr(6);
  EXPECT_EQ(made[1], "close " + partial);
  EXPECT_EQ(made[2], "rename " + partial + " file");
  EXPECT_EQ(made[3], "fsync " + directory_.path().filename().string());
}

TEST_F(RealCalls, NoErrorOfTheSystemIsPassedOver) {
  write("old");
  for (const char* call : {"write", "fsync", "close", "rename"}) {
    SystemCalls calls(directory_.path());
    calls.fail(call, EDQUOT);
    EXPECT_THAT(error_of([&] { write("new"); }), HasSubstr("Disk quota exceeded. Free some space"))
        << call;
    EXPECT_EQ(text_of(file_), "old") << call;
    EXPECT_THAT(files_.list(directory_.path()), ElementsAre("file")) << call;
  }
}

TEST_F(RealCalls, WhatASignalInterruptsIsDoneAgain) {
  SystemCalls calls(directory_.path());
  calls.fail("fsync", EINTR);
  write("text");
  EXPECT_EQ(text_of(file_), "text");
  const auto made = calls.made();
  EXPECT_EQ(std::count_if(made.begin(), made.end(),
                          [](const auto& call) { return call.starts_with("fsync "); }),
            3);
  calls.fail("write", EINTR);
  calls.fail("close", EINTR);  // Linux has closed it
  write("other");
  EXPECT_EQ(text_of(file_), "other");
}

TEST_F(RealCalls, AReadThatASignalInterruptsGoesOnAndOneThatFailsIsAnError) {
  write("text");
  SystemCalls calls(directory_.path());
  calls.fail("read", EINTR, 2);
  EXPECT_EQ(files_.read(file_).size(), 4u);
  calls.fail("read", EIO);
  EXPECT_THAT(error_of([&] { files_.read(file_); }), HasSubstr("Input/output error"));
}

TEST_F(RealCalls, AWriteThatIsShortGoesOn) {
  SystemCalls calls(directory_.path());
  calls.fill_disk_after(3);
  EXPECT_THAT(error_of([&] { write("longer text"); }), HasSubstr("No space left on device"));
  EXPECT_THAT(files_.list(directory_.path()), ElementsAre());
}

// A new directory lasts once the one above it is synced, and so does that one.
TEST_F(RealCalls, ANewDirectoryAndThoseAboveItAreDurable) {
  const std::string top = directory_.path().filename().string();
  SystemCalls calls(directory_.path());
  files_.make_directories(directory_ / "a/b/c");
  std::vector<std::string> made = calls.made();
  std::erase_if(made, [](const std::string& call) { return !call.starts_with("fsync "); });
  EXPECT_THAT(made, ::testing::UnorderedElementsAre("fsync " + top, "fsync a", "fsync b"));
  files_.make_directories(directory_ / "a/b/c");
  EXPECT_EQ(std::ssize(calls.made()), 6) << "what is there needs no sync";  // with a close each
}

TEST_F(RealCalls, AFileSystemWithNothingToSyncInADirectoryIsTaken) {
  SystemCalls calls(directory_.path());
  calls.fail("fsync", EINVAL);
  files_.sync_directory(directory_.path());
  calls.fail("fsync", EIO);
  EXPECT_THAT(error_of([&] { files_.sync_directory(directory_.path()); }),
              HasSubstr("Input/output error"));
}

TEST_F(RealCalls, StorageThatDoesNotAnswerIsNotAMissingFile) {
  EXPECT_FALSE(files_.exists(directory_ / "none"));
  EXPECT_FALSE(files_.exists(directory_ / "none/file"));
  std::filesystem::create_symlink("loop", directory_ / "loop");  // stat() fails with ELOOP
  EXPECT_THAT(error_of([&] { files_.exists(directory_ / "loop"); }),
              HasSubstr("cannot tell whether it is there"));
  EXPECT_EQ(read_if_there(directory_ / "none"), std::nullopt);
  write("text");
  EXPECT_EQ(read_if_there(file_), "text");
  EXPECT_THAT(error_of([&] { read_if_there(directory_ / "loop"); }),
              HasSubstr("cannot tell whether it is there"));
}

}  // namespace
}  // namespace lacuna
