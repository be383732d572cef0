#include "tests/base/system_calls.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <sys/types.h>
#include <unistd.h>

namespace {

struct Watch {
  std::mutex mutex;
  bool on = false;
  std::string part;
  std::vector<std::string> made;
  std::map<std::string, std::pair<int, int>> failures;   // call -> error, how many
  std::map<std::string, std::function<void()>> actions;  // call -> before the next one
  long room = -1;                                        // bytes; -1: no limit
};

Watch& watch() {
  static auto* const instance = new Watch;
  return *instance;
}

std::string path_of(int descriptor) {
  std::error_code ignored;
  return std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", descriptor), ignored);
}

std::string name_of(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

// What was to happen before the next such call.
void act_before(const char* call, const std::string& path) {
  std::function<void()> action;
  {
    Watch& state = watch();
    const std::lock_guard lock(state.mutex);
    const auto found = state.actions.find(call);
    if (!state.on || found == state.actions.end() || path.find(state.part) == std::string::npos) {
      return;
    }
    action = std::move(found->second);
    state.actions.erase(found);
  }
  action();  // without the lock: it may make such calls
}

// The error that the call is to fail with, or 0. Notes the call.
int wanted_error(const char* call, const std::string& path, const std::string& text) {
  act_before(call, path);
  Watch& state = watch();
  const std::lock_guard lock(state.mutex);
  if (!state.on || path.find(state.part) == std::string::npos) return 0;
  state.made.push_back(fmt::format("{} {}", call, text));
  const auto failure = state.failures.find(call);
  if (failure == state.failures.end() || failure->second.second-- <= 0) return 0;
  return failure->second.first;
}

bool is_on() {
  const std::lock_guard lock(watch().mutex);
  return watch().on;
}

int on_descriptor(const char* call, int descriptor) {
  if (!is_on()) return 0;
  const std::string path = path_of(descriptor);
  return wanted_error(call, path, name_of(path));
}

}  // namespace

extern "C" {

int __real_fsync(int);
int __real_fdatasync(int);
int __real_close(int);
int __real_rename(const char*, const char*);
ssize_t __real_read(int, void*, size_t);
ssize_t __real_write(int, const void*, size_t);
int __real_ftruncate(int, off_t);
int __real_flock(int, int);

int __wrap_fsync(int descriptor) {
  if (const int error = on_descriptor("fsync", descriptor)) return errno = error, -1;
  return __real_fsync(descriptor);
}

int __wrap_fdatasync(int descriptor) {
  if (const int error = on_descriptor("fdatasync", descriptor)) return errno = error, -1;
  return __real_fdatasync(descriptor);
}

int __wrap_close(int descriptor) {
  const int error = on_descriptor("close", descriptor);
  const int result = __real_close(descriptor);  // closed all the same, as Linux does
  return error != 0 ? (errno = error, -1) : result;
}

int __wrap_rename(const char* from, const char* to) {
  if (is_on()) {
    const int error = wanted_error("rename", to, name_of(from) + " " + name_of(to));
    if (error != 0) return errno = error, -1;
  }
  return __real_rename(from, to);
}

ssize_t __wrap_read(int descriptor, void* bytes, size_t size) {
  if (const int error = on_descriptor("read", descriptor)) return errno = error, -1;
  return __real_read(descriptor, bytes, size);
}

ssize_t __wrap_write(int descriptor, const void* bytes, size_t size) {
  if (const int error = is_on() ? on_descriptor("write", descriptor) : 0) return errno = error, -1;
  {
    Watch& state = watch();
    const std::lock_guard lock(state.mutex);
    if (state.on && state.room >= 0 && path_of(descriptor).find(state.part) != std::string::npos) {
      size = std::min(size, static_cast<size_t>(state.room));
      if (size == 0) return errno = ENOSPC, -1;
      state.room -= static_cast<long>(size);
    }
  }
  return __real_write(descriptor, bytes, size);
}

int __wrap_ftruncate(int descriptor, off_t size) {
  if (const int error = on_descriptor("ftruncate", descriptor)) return errno = error, -1;
  return __real_ftruncate(descriptor, size);
}

int __wrap_flock(int descriptor, int operation) {
  if (const int error = on_descriptor("flock", descriptor)) return errno = error, -1;
  return __real_flock(descriptor, operation);
}

}  // extern "C"

namespace lacuna {

SystemCalls::SystemCalls(std::string part) {
  const std::lock_guard lock(watch().mutex);
  watch().on = true;
  watch().part = std::move(part);
  watch().made.clear();
  watch().failures.clear();
  watch().actions.clear();
  watch().room = -1;
}

SystemCalls::~SystemCalls() {
  const std::lock_guard lock(watch().mutex);
  watch().on = false;
}

std::vector<std::string> SystemCalls::made() const {
  const std::lock_guard lock(watch().mutex);
  return watch().made;
}

void SystemCalls::fail(const std::string& call, int error, int count) {
  const std::lock_guard lock(watch().mutex);
  watch().failures[call] = {error, count};
}

void SystemCalls::before(const std::string& call, std::function<void()> action) {
  const std::lock_guard lock(watch().mutex);
  watch().actions[call] = std::move(action);
}

void SystemCalls::fill_disk_after(long bytes) {
  const std::lock_guard lock(watch().mutex);
  watch().room = bytes;
}

void SystemCalls::free_disk() { fill_disk_after(-1); }

}  // namespace lacuna
