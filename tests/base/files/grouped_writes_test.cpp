#include "base/files/grouped_writes.h"

#include <atomic>
#include <chrono>
#include <fstream>
#include <iterator>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"

namespace lacuna {
namespace {

using ::testing::HasSubstr;

// The real one, with a disk that answers when it is told to.
class SlowDisk final : public FileSystem {
 public:
  std::unique_ptr<WritableFile> create(const Path& path) override {
    return std::make_unique<File>(*this, real_.create(path));
  }
  void rename(const Path& from, const Path& to) override {
    if (to.filename() == refused) throw DataError("no rename of " + to.string());
    real_.rename(from, to);
  }
  void sync_directory(const Path& path) override {
    ++directory_syncs;
    real_.sync_directory(path);
  }
  void make_directories(const Path& path) override { real_.make_directories(path); }
  void remove(const Path& path) override { real_.remove(path); }
  void remove_all(const Path& path) override { real_.remove_all(path); }
  bool exists(const Path& path) override { return real_.exists(path); }
  std::vector<std::byte> read(const Path& path) override { return real_.read(path); }
  std::vector<std::string> list(const Path& directory) override { return real_.list(directory); }

  void hold() { held_ = true; }
  void release() {
    held_ = false;
    held_.notify_all();
  }
  std::string refused;
  std::atomic<int> syncs{0}, at_once{0}, most_at_once{0}, directory_syncs{0};

 private:
  class File final : public WritableFile {
   public:
    File(SlowDisk& owner, std::unique_ptr<WritableFile> real)
        : owner_(owner), real_(std::move(real)) {}
    void append(std::span<const std::byte> bytes) override { real_->append(bytes); }
    void sync() override {
      ++owner_.syncs;
      const int now = ++owner_.at_once;
      int most = owner_.most_at_once;
      while (now > most && !owner_.most_at_once.compare_exchange_weak(most, now)) continue;
      owner_.held_.wait(true);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      --owner_.at_once;
      real_->sync();
    }
    void close() override { real_->close(); }

   private:
    SlowDisk& owner_;
    std::unique_ptr<WritableFile> real_;
  };

  FileSystem& real_ = posix_file_system();
  std::atomic<bool> held_{false};
};

std::vector<std::byte> bytes_of(int number) {
  return std::vector<std::byte>(static_cast<std::size_t>(1000 + number),
                                static_cast<std::byte>(number));
}
std::string name_of(int number) { return "case" + std::to_string(number) + ".h5"; }

TEST(GroupedWrites, AsksASlowDiskForManyFilesTogetherWhileTheCallerGoesOn) {
  const TemporaryDirectory directory;
  SlowDisk disk;
  disk.hold();
  GroupedWrites writes(disk, 6);
  writes.add(directory / name_of(0), bytes_of(0));
  while (disk.syncs == 0) std::this_thread::yield();
  // None of these waits for the disk, which has not answered yet.
  for (int i = 1; i < 7; ++i) writes.add(directory / name_of(i), bytes_of(i));
  EXPECT_FALSE(disk.exists(directory / name_of(0))) << "named before it was on the disk";
  disk.release();
  writes.finish();
  for (int i = 0; i < 7; ++i) EXPECT_EQ(disk.read(directory / name_of(i)), bytes_of(i));
  EXPECT_EQ(disk.list(directory.path()).size(), 7u) << "something is left over";
  EXPECT_EQ(disk.syncs, 7);
  EXPECT_EQ(disk.directory_syncs, 2) << "one by one";
  EXPECT_GT(disk.most_at_once, 1) << "one by one";
}

TEST(GroupedWrites, AFailureEndsItAndWhatWasFinishedStays) {
  const TemporaryDirectory directory;
  SlowDisk disk;
  disk.refused = name_of(2);
  GroupedWrites writes(disk, 1);
  try {
    for (int i = 0; i < 50; ++i) writes.add(directory / name_of(i), bytes_of(i));
    writes.finish();
    FAIL() << "the failure went unnoticed";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no rename of"));
  }
  EXPECT_THROW(writes.add(directory / "later", {}), DataError);
  EXPECT_EQ(disk.read(directory / name_of(1)), bytes_of(1));
  for (const std::string& name : disk.list(directory.path())) {
    EXPECT_FALSE(name.ends_with(".partial")) << name;
  }
}

TEST(GroupedWrites, OfAGroupWhoseOneFileFailsTheOthersStay) {
  const TemporaryDirectory directory;
  SlowDisk disk;
  disk.refused = name_of(1);
  std::vector<NewFile> group;
  for (int i = 0; i < 4; ++i) group.push_back({directory / name_of(i), bytes_of(i)});
  EXPECT_THROW(write_durably(disk, group), DataError);
  EXPECT_EQ(disk.list(directory.path()),
            (std::vector<std::string>{name_of(0), name_of(2), name_of(3)}));
}

// A caller that fails in between: what it made is not thrown away.
TEST(GroupedWrites, WritesWhatWaitsBeforeItGoes) {
  const TemporaryDirectory directory;
  SlowDisk disk;
  {
    GroupedWrites writes(disk, 5);
    for (int i = 0; i < 5; ++i) writes.add(directory / name_of(i), bytes_of(i));
  }
  EXPECT_EQ(disk.list(directory.path()).size(), 5u);
}

}  // namespace
}  // namespace lacuna
