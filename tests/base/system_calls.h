// Calls of the operating system, as the real code makes them: what was called, and failures on
// request. A test program that is linked with lacuna_watch_system_calls() (tests/CMakeLists.txt)
// goes through here for fsync, fdatasync, close, rename, read, write, ftruncate and flock.
// Thread-safe.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace lacuna {

class SystemCalls {
 public:
  // Notes calls on paths that contain `part` ("pipe:" for pipes) while it lives. One at a time.
  explicit SystemCalls(std::string part);
  ~SystemCalls();
  SystemCalls(const SystemCalls&) = delete;
  SystemCalls& operator=(const SystemCalls&) = delete;

  // "fsync NAME", "rename FROM TO", "close NAME", each with the last part of the path, in order.
  std::vector<std::string> made() const;
  // The next `count` calls of this name fail with `error`, of those on paths that contain `part`.
  void fail(const std::string& call, int error, int count = 1);
  // Just before the next call of this name on such a path, `action` is called, once.
  void before(const std::string& call, std::function<void()> action);
  // Writes take so many more bytes; then they are short, and then fail for want of space.
  void fill_disk_after(long bytes);
  void free_disk();
};

}  // namespace lacuna
