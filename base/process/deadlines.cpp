#include "base/process/deadlines.h"

#include <chrono>
#include <csignal>
#include <memory>
#include <utility>

#include <linux/close_range.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process/thread_name.h"

namespace lacuna {
namespace {

constexpr auto kAsk = std::chrono::milliseconds(2);

}  // namespace

bool run_within(double seconds, std::function<void()> call) {
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
  };
  const auto shared = std::make_shared<Shared>();
  std::thread([shared, call = std::move(call)] {
    call();
    const std::lock_guard lock(shared->mutex);
    shared->done = true;
    shared->changed.notify_one();
  }).detach();
  std::unique_lock lock(shared->mutex);
  return shared->changed.wait_for(lock, std::chrono::duration<double>(seconds),
                                  [&] { return shared->done; });
}

bool run_detached(double seconds, const std::function<void()>& work) {
  const pid_t copy = ::fork();
  if (copy == 0) {
    // A launcher that reads our output to its end must not wait for the copy.
    ::close_range(0, ~0U, 0);
    for (const int each : {SIGTERM, SIGINT, SIGUSR2}) ::signal(each, SIG_IGN);
    try {
      work();
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  if (copy < 0) return false;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  int status = 0;
  while (::waitpid(copy, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > deadline) {
      ::kill(copy, SIGKILL);
      // Unless it hangs in the kernel it is gone at once, and leaves no zombie.
      for (int i = 0; i < 50 && ::waitpid(copy, &status, WNOHANG) == 0; ++i) {
        std::this_thread::sleep_for(kAsk);
      }
      return false;
    }
    std::this_thread::sleep_for(kAsk);
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

Deadline::Deadline(double seconds, std::function<void()> late)
    : thread_([this, seconds, late = std::move(late)](std::stop_token stop) {
        name_thread("deadline");
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, stop, std::chrono::duration<double>(seconds), [] { return false; });
        lock.unlock();
        if (!stop.stop_requested()) late();
      }) {}

Deadline::~Deadline() = default;  // the thread's own destructor stops and joins it

}  // namespace lacuna
