#include "base/files/mapped_file.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

namespace lacuna {

namespace {

// What the signal handler knows: plain atomics, so that it may read them at any moment. More files
// at a time than entries are mapped all the same, without protection.
struct Watch {
  std::atomic<bool> used{false};
  std::atomic<std::uintptr_t> begin{0}, end{0};
  std::atomic<bool> lost{false};
};
std::array<Watch, 16384> watches;
struct sigaction former_action {};

void put_zeros(int signal, siginfo_t* info, void*) {
  const int saved = errno;
  const auto at = reinterpret_cast<std::uintptr_t>(info->si_addr);
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  for (Watch& watch : watches) {
    if (at < watch.begin.load() || at >= watch.end.load()) continue;
    watch.lost.store(true);
    void* start = reinterpret_cast<void*>(at / page * page);
    if (mmap(start, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
        MAP_FAILED) {
      errno = saved;
      return;  // the read is tried again and finds zeros
    }
  }
  sigaction(signal, &former_action, nullptr);  // not ours: it happens again, to whoever was there
}

void watch_for_bus_errors() {
  static const bool installed = [] {
    struct sigaction action {};
    action.sa_sigaction = put_zeros;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    return sigaction(SIGBUS, &action, &former_action) == 0;
  }();
  static_cast<void>(installed);
}

int watch(std::span<const std::byte> bytes) {
  watch_for_bus_errors();
  static std::atomic<std::size_t> next{0};
  for (std::size_t tries = 0; tries < watches.size(); ++tries) {
    const std::size_t number = next++ % watches.size();
    Watch& entry = watches[number];
    if (entry.used.exchange(true)) continue;
    entry.lost.store(false);
    entry.end.store(reinterpret_cast<std::uintptr_t>(bytes.data() + bytes.size()));
    entry.begin.store(reinterpret_cast<std::uintptr_t>(bytes.data()));
    return static_cast<int>(number);
  }
  return -1;
}

void unwatch(int number) {
  if (number < 0) return;
  Watch& entry = watches[static_cast<std::size_t>(number)];
  entry.end.store(0);
  entry.begin.store(0);
  entry.used.store(false);
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw_error<DataError>("{}: cannot open: {}.", path.string(), strerror(errno));
  struct stat status {};
  void* start = nullptr;
  if (fstat(file, &status) == 0 && status.st_size > 0) {
    start = mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_SHARED, file, 0);
  }
  const int error = errno;
  close(file);
  if (start == MAP_FAILED) {
    throw_error<DataError>("{}: cannot map into memory: {}.", path.string(), strerror(error));
  }
  if (start != nullptr) {
    bytes_ = {static_cast<const std::byte*>(start), static_cast<std::size_t>(status.st_size)};
    watch_ = watch(bytes_);
  }
}

bool MappedFile::lost() const {
  return watch_ >= 0 && watches[static_cast<std::size_t>(watch_)].lost.load();
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})), watch_(std::exchange(other.watch_, -1)) {}

MappedFile::~MappedFile() {
  unwatch(watch_);
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace lacuna
