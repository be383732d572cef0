// The seam through which everything durable is written, so that tests can fill the disk, tear a
// write or drop unsynced data. Real implementation: PosixFileSystem.
//
// Thread-safety: PosixFileSystem is stateless. All calls throw DataError with path and errno text.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lacuna {

using Path = std::filesystem::path;

class WritableFile {
 public:
  virtual ~WritableFile() = default;  // closes without syncing
  virtual void append(std::span<const std::byte> bytes) = 0;
  virtual void sync() = 0;   // fsync
  virtual void close() = 0;  // checked close
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual std::unique_ptr<WritableFile> create(const Path& path) = 0;  // truncates
  virtual void rename(const Path& from, const Path& to) = 0;           // atomic replacement
  virtual void sync_directory(const Path& path) = 0;
  virtual void make_directories(const Path& path) = 0;  // durably
  virtual void remove(const Path& path) = 0;            // a file or an empty directory
  virtual void remove_all(const Path& path) = 0;
  virtual bool exists(const Path& path) = 0;  // throws where storage fails
  virtual std::vector<std::byte> read(const Path& path) = 0;
  virtual std::vector<std::string> list(const Path& directory) = 0;  // names, sorted
};

// The process-wide real file system. Not owned by the caller.
FileSystem& posix_file_system();

// The one durable write: a temporary file in the same directory, written and fsynced, renamed over
// `path`, and the directory fsynced. After a crash `path` holds the old or the new bytes, whole.
void write_durably(FileSystem& files, const Path& path, std::span<const std::byte> bytes);
void write_durably(FileSystem& files, const Path& path, const std::string& text);

}  // namespace lacuna
