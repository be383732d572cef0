#include "base/files/file_system.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <limits>
#include <mutex>
#include <set>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files/grouped_writes.h"
#include "base/process/parallel.h"

namespace lacuna {
namespace {

// Remedies for the failures that users meet; the rest is told in the system's own words.
const char* remedy(int code) {
  switch (code) {
    case ENOSPC:
    case EDQUOT:
      return " Free some space or choose another directory.";
    case EACCES:
    case EPERM:
    case EROFS:
      return " Check the permissions or choose another directory.";
    case ENOENT:
      return " Check the path.";
    default:
      return "";
  }
}

[[noreturn]] void fail(const Path& path, const char* tried, int code) {
  throw_error<DataError>("{}: cannot {}: {}.{}", path.string(), tried, std::strerror(code),
                         remedy(code));
}

// Owns a descriptor; retries what a signal interrupted.
class Descriptor {
 public:
  Descriptor(const Path& path, int flags, const char* tried) {
    do {
      descriptor_ = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
    } while (descriptor_ < 0 && errno == EINTR);
    if (descriptor_ < 0) fail(path, tried, errno);
  }
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_ = -1;
};

void sync_descriptor(const Path& path, int descriptor) {
  while (::fsync(descriptor) != 0) {
    if (errno != EINTR) fail(path, "write to the disk", errno);
  }
}

// Some network and user-space file systems have nothing to sync in a directory and say so.
void sync_names(const Path& path, int descriptor) {
  while (::fsync(descriptor) != 0) {
    if (errno == EINVAL || errno == ENOTSUP) return;
    if (errno != EINTR) fail(path, "write to the disk", errno);
  }
}

class PosixFile final : public WritableFile {
 public:
  explicit PosixFile(Path path)
      : path_(std::move(path)), descriptor_(path_, O_WRONLY | O_CREAT | O_TRUNC, "create") {}

  void append(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      // Linux writes at most about 2 GiB per call: a short write is normal, not an error.
      const ssize_t written = ::write(descriptor_.get(), bytes.data(), bytes.size());
      if (written < 0) {
        if (errno == EINTR) continue;
        fail(path_, "write", errno);
      }
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  void sync() override { sync_descriptor(path_, descriptor_.get()); }

  void close() override {
    // Network file systems report a full disk here. Not retried: Linux closes it even on EINTR.
    if (::close(descriptor_.release()) != 0 && errno != EINTR) fail(path_, "close", errno);
  }

 private:
  Path path_;
  Descriptor descriptor_;
};

class PosixFileSystem final : public FileSystem {
 public:
  std::unique_ptr<WritableFile> create(const Path& path) override {
    return std::make_unique<PosixFile>(path);
  }

  void rename(const Path& from, const Path& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) fail(to, "rename a file to this", errno);
  }

  void sync_directory(const Path& path) override {
    const Descriptor directory(path.empty() ? "." : path, O_RDONLY | O_DIRECTORY, "open");
    sync_names(path, directory.get());
  }

  void make_directories(const Path& path) override {
    std::vector<Path> fresh;  // deepest first
    for (Path each = path; !each.empty() && !exists(each); each = each.parent_path()) {
      fresh.push_back(each);
      if (each == each.parent_path()) break;
    }
    std::error_code code;
    std::filesystem::create_directories(path, code);
    if (code) fail(path, "make the directory", code.value());
    // A file in a directory whose own name a power cut takes is lost with it.
    for (const Path& each : fresh) sync_directory(each.parent_path());
  }

  void remove(const Path& path) override {
    std::error_code code;
    if (!std::filesystem::remove(path, code)) fail(path, "remove", code ? code.value() : ENOENT);
  }

  void remove_all(const Path& path) override {
    std::error_code code;
    std::filesystem::remove_all(path, code);
    if (code) fail(path, "remove", code.value());
  }

  bool exists(const Path& path) override {
    // Storage that cannot answer is not the same as a file that is not there: a run would begin
    // anew.
    std::error_code code;
    const bool there = std::filesystem::exists(path, code);
    if (code) fail(path, "tell whether it is there", code.value());
    return there;
  }

  std::vector<std::byte> read(const Path& path) override {
    const Descriptor file(path, O_RDONLY, "open");
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) fail(path, "read", errno);
    if (S_ISDIR(status.st_mode)) fail(path, "read", EISDIR);
    std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size));
    std::size_t filled = 0;
    for (;;) {
      // A file that grows meanwhile (a log, /proc) is read to its end.
      if (filled == bytes.size()) bytes.resize(bytes.size() + 4096);
      const ssize_t count = ::read(file.get(), bytes.data() + filled, bytes.size() - filled);
      if (count < 0) {
        if (errno == EINTR) continue;
        fail(path, "read", errno);
      }
      if (count == 0) break;
      filled += static_cast<std::size_t>(count);
    }
    bytes.resize(filled);
    return bytes;
  }

  std::vector<std::string> list(const Path& directory) override {
    std::error_code code;
    std::vector<std::string> names;
    for (std::filesystem::directory_iterator each(directory, code), end; !code && each != end;
         each.increment(code)) {
      names.push_back(each->path().filename().string());
    }
    if (code) fail(directory, "list the directory", code.value());
    std::sort(names.begin(), names.end());
    return names;
  }
};

}  // namespace

FileSystem& posix_file_system() {
  static PosixFileSystem instance;
  return instance;
}

namespace {

// A file under its passing name, not yet under its own.
class PartialFile {
 public:
  PartialFile(FileSystem& files, const Path& path) : files_(files), path_(path) {
    // The counter keeps threads apart that write the same file, the process id two programs.
    static std::atomic<unsigned> counter{0};
    partial_ = path.parent_path() /
               fmt::format(".{}.{}.{}.partial", path.filename().string(), ::getpid(), counter++);
  }
  ~PartialFile() {
    if (named_) return;
    try {
      file_.reset();
      if (files_.exists(partial_)) files_.remove(partial_);
    } catch (const DataError&) {
      // The first failure is the one to report; a left-over partial file is never read.
    }
  }
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  void write(std::span<const std::byte> bytes) {
    file_ = files_.create(partial_);
    file_->append(bytes);
  }
  void finish() {
    file_->sync();
    file_->close();
    files_.rename(partial_, path_);
    named_ = true;
  }

 private:
  FileSystem& files_;
  const Path& path_;
  Path partial_;
  std::unique_ptr<WritableFile> file_;
  bool named_ = false;
};

}  // namespace

void write_durably(FileSystem& files, const Path& path, std::span<const std::byte> bytes) {
  {
    PartialFile file(files, path);
    file.write(bytes);
    file.finish();
  }
  files.sync_directory(path.parent_path());
}

void write_durably(FileSystem& files, const std::vector<NewFile>& group) {
  constexpr int kAtOnce = 8;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto done = [&](const auto& work) {
    try {
      work();
      return true;
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
      return false;
    }
  };
  std::vector<std::unique_ptr<PartialFile>> partial;
  std::set<Path> directories;
  for (const NewFile& each : group) {
    auto file = std::make_unique<PartialFile>(files, each.path);
    if (!done([&] { file->write(each.bytes); })) break;  // a full disk: what is there is kept
    partial.push_back(std::move(file));
    directories.insert(each.path.parent_path());
  }
  parallel_for(kAtOnce, std::ssize(partial), [&](std::int64_t i) {
    done([&] { partial[static_cast<std::size_t>(i)]->finish(); });
  });
  for (const Path& directory : directories) done([&] { files.sync_directory(directory); });
  if (failure) std::rethrow_exception(failure);
}

void write_durably(FileSystem& files, const Path& path, const std::string& text) {
  write_durably(files, path, std::as_bytes(std::span(text)));
}

}  // namespace lacuna
