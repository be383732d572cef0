// The real file system in a test's directory, with failures on request: a full disk, an error at
// the n-th call, a torn write, and a power cut that loses what was not synced.
//
// The power cut is the harshest that POSIX allows: a file keeps the bytes of its last sync(), a
// directory the names of its last sync_directory(). With Names::kKept renames survive although the
// data does not, as some file systems order it. Not thread-safe. `stash` is an empty directory of
// the test, outside of what the test writes to.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/files/file_system.h"

namespace lacuna {

class FaultyFileSystem final : public FileSystem {
 public:
  enum class Names { kLost, kKept };

  explicit FaultyFileSystem(Path stash) : stash_(std::move(stash)) {}

  // Bytes that may still be written before the disk is full; the write that meets the end is torn.
  std::uint64_t free_bytes = std::numeric_limits<std::uint64_t>::max();
  // Nothing whose path contains this can be removed (an immutable file, one that a reader holds
  // open on a network file system).
  std::string unremovable;
  // The call after so many more calls fails (0: the next one), and only that one. Every method
  // that changes something counts: create, append, sync, close, rename, sync_directory, ...
  std::int64_t calls_before_failure = std::numeric_limits<std::int64_t>::max();
  std::int64_t calls = 0;  // so far

  // The power cut: puts the directory into the state that a reboot finds. Open files are dead.
  void crash(Names names = Names::kLost) {
    for (const auto& [path, size] : synced_bytes_) {
      if (std::filesystem::is_regular_file(path)) std::filesystem::resize_file(path, size);
    }
    if (names == Names::kLost) {
      for (auto change = journal_.rbegin(); change != journal_.rend(); ++change) {
        if (change->before.empty()) {
          std::filesystem::remove_all(change->now);
        } else if (std::filesystem::is_directory(change->before.parent_path())) {
          std::filesystem::rename(change->now, change->before);
        }  // else its directory is gone for good, and it with that
      }
    }
    journal_.clear();
    synced_bytes_.clear();
  }

  std::unique_ptr<WritableFile> create(const Path& path) override {
    count("create", path);
    set_aside(path);
    auto file = std::make_unique<File>(*this, path, real_.create(path));
    synced_bytes_[path] = 0;
    journal_.push_back({path.parent_path(), path, {}});
    return file;
  }

  void rename(const Path& from, const Path& to) override {
    count("rename", to);
    if (std::filesystem::is_regular_file(to)) set_aside(to);
    real_.rename(from, to);
    std::map<Path, std::uint64_t> moved;
    for (const auto& [path, size] : synced_bytes_) moved[renamed(path, from, to)] = size;
    synced_bytes_ = std::move(moved);
    journal_.push_back({to.parent_path(), to, from});
  }

  void sync_directory(const Path& path) override {
    count("sync", path);
    real_.sync_directory(path);
    std::vector<Change> pending;
    for (const Change& change : journal_) {
      if (change.directory != path) {
        pending.push_back(change);
        continue;
      }
      // A move that is now permanent: what is still pending inside lives under the new name.
      for (Change& earlier : pending) {
        if (change.before.empty()) continue;
        earlier.directory = renamed(earlier.directory, change.before, change.now);
        earlier.now = renamed(earlier.now, change.before, change.now);
        earlier.before = renamed(earlier.before, change.before, change.now);
      }
    }
    journal_ = std::move(pending);
  }

  void make_directories(const Path& path) override {
    count("make", path);
    if (std::filesystem::exists(path)) return;
    if (path.has_parent_path() && !std::filesystem::exists(path.parent_path())) {
      make_directories(path.parent_path());
    }
    real_.make_directories(path);
    journal_.push_back({path.parent_path(), path, {}});
  }

  void remove(const Path& path) override {
    count("remove", path);
    if (!std::filesystem::exists(path)) real_.remove(path);  // the real message
    set_aside(path);
  }

  // File by file, as the real one: it can be interrupted within.
  void remove_all(const Path& path) override {
    if (!std::filesystem::exists(path)) return;
    if (std::filesystem::is_directory(path)) {
      for (const std::string& name : real_.list(path)) remove_all(path / name);
    }
    count("remove", path);
    set_aside(path);
  }

  bool exists(const Path& path) override { return real_.exists(path); }
  std::vector<std::byte> read(const Path& path) override { return real_.read(path); }
  std::vector<std::string> list(const Path& directory) override { return real_.list(directory); }

 private:
  struct Change {
    Path directory;  // whose sync makes it permanent
    Path now;        // undone by moving this to `before`, or removing it when that is empty
    Path before;
  };

  class File final : public WritableFile {
   public:
    File(FaultyFileSystem& owner, Path path, std::unique_ptr<WritableFile> real)
        : owner_(owner), path_(std::move(path)), real_(std::move(real)) {}

    void append(std::span<const std::byte> bytes) override {
      owner_.count("write", path_);
      if (bytes.size() > owner_.free_bytes) {
        real_->append(bytes.first(static_cast<std::size_t>(owner_.free_bytes)));
        written_ += std::exchange(owner_.free_bytes, 0);
        throw_error<DataError>("{}: cannot write: No space left on device.", path_.string());
      }
      owner_.free_bytes -= bytes.size();
      real_->append(bytes);
      written_ += bytes.size();
    }
    void sync() override {
      owner_.count("sync", path_);
      owner_.synced_bytes_[path_] = written_;
    }
    void close() override {
      owner_.count("close", path_);
      real_->close();
    }

   private:
    FaultyFileSystem& owner_;
    Path path_;
    std::unique_ptr<WritableFile> real_;
    std::uint64_t written_ = 0;
  };

  void count(const char* tried, const Path& path) {
    ++calls;
    if (!unremovable.empty() && tried == std::string("remove") &&
        path.string().find(unremovable) != std::string::npos) {
      throw_error<DataError>("{}: cannot remove: Operation not permitted.", path.string());
    }
    if (calls_before_failure-- == 0) {
      throw_error<DataError>("{}: cannot {}: Input/output error.", path.string(), tried);
    }
  }

  // What a change would destroy goes to the stash, from where a power cut brings it back.
  void set_aside(const Path& path) {
    if (!std::filesystem::exists(path)) return;
    const Path kept = stash_ / std::to_string(stashed_++);
    std::filesystem::rename(path, kept);
    std::erase_if(synced_bytes_, [&](const auto& entry) { return entry.first == path; });
    journal_.push_back({path.parent_path(), kept, path});
  }

  static Path renamed(const Path& path, const Path& from, const Path& to) {
    const auto relative = path.lexically_relative(from);
    if (path == from) return to;
    return relative.empty() || *relative.begin() == ".." ? path : to / relative;
  }

  Path stash_;
  FileSystem& real_ = posix_file_system();
  std::vector<Change> journal_;
  std::map<Path, std::uint64_t> synced_bytes_;  // of files written through this object
  std::int64_t stashed_ = 0;
};

}  // namespace lacuna
