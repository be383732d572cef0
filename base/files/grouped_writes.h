// Files written durably on a thread of its own, several at a time, while the caller makes the next:
// where a disk takes long to say that it has written, nobody waits for it file by file.
//
// Each file is whole or absent, as with write_durably(). add() is thread-safe. Example:
//   GroupedWrites writes(posix_file_system(), 4);
//   writes.add("a.h5", std::move(bytes));
//   writes.finish();  // all are on the disk
#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "base/files/file_system.h"

namespace lacuna {

struct NewFile {
  Path path;
  std::vector<std::byte> bytes;
};

// Several files at once: each is whole or absent, and when this returns all are there. The disk is
// asked for all of them together, which takes about as long as asking for one. `files` is used from
// several threads. Throws the first failure, after the files that can be finished.
void write_durably(FileSystem& files, const std::vector<NewFile>& group);

class GroupedWrites {
 public:
  // `most`: files that wait in memory, beside those that are being written; at least 1. `files`
  // must outlive the object and be safe to use from several threads.
  GroupedWrites(FileSystem& files, std::size_t most);
  // Writes what was added; a failure then has nobody to tell.
  ~GroupedWrites();
  GroupedWrites(const GroupedWrites&) = delete;
  GroupedWrites& operator=(const GroupedWrites&) = delete;

  // Waits while too many files wait. Throws the first failure of any file; nothing is written after
  // it.
  void add(Path path, std::vector<std::byte> bytes);
  // Returns when all files are on the disk; throws as add(). Nothing may be added afterwards.
  void finish();

 private:
  void run();
  void stop();

  FileSystem& files_;
  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<NewFile> waiting_;
  std::exception_ptr failure_;
  bool ending_ = false;
  std::thread writer_;
};

}  // namespace lacuna
