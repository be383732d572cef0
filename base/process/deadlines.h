// Work that may never return, and what is done about it: three ways to go on without it.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace lacuna {

// Runs `call` in a thread of its own; false when it has not returned within `seconds`. The thread
// then stays behind: end the process soon. What `call` uses must live as long.
bool run_within(double seconds, std::function<void()> call);

// Runs `work` in a copy of this process and waits for it for `seconds` at most; true when it was
// done. For writing a few last words to storage that may hang: a thread that waits in the kernel
// for a disk keeps its whole process from ending, a process that waits there keeps only itself.
// The copy holds no open file of ours; `work` must neither log nor wait for another thread. Where
// no process can be made, nothing is done.
bool run_detached(double seconds, const std::function<void()>& work);

// Calls `late`, on a thread of its own, unless it is destroyed within `seconds`.
class Deadline {
 public:
  Deadline(double seconds, std::function<void()> late);
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

}  // namespace lacuna
