#include "base/text/log.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "base/process/thread_name.h"

namespace lacuna::log {
namespace {

constexpr std::size_t kQueue = 1024;  // messages; with more waiting the oldest are given up
constexpr double kExitSeconds = 5;    // for what is still waiting when the process ends

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// Several sinks that do not hinder one another: a full disk costs its own file only.
class Sinks final : public spdlog::sinks::dist_sink_mt {
 public:
  std::int64_t written() const { return written_; }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    for (const auto& each : sinks_) {
      if (!each->should_log(message.level)) continue;
      try {
        each->log(message);
        if (message.level >= spdlog::level::info) each->flush();
      } catch (const std::exception&) {
        // There is no other place to say it; the next message may succeed.
      }
    }
    ++written_;
  }

 private:
  std::atomic<std::int64_t> written_{0};
};

// Sinks with a queue and a thread of their own. Whoever logs only puts the message into the queue:
// a disk that hangs holds up this thread and nobody else.
class Channel {
 public:
  explicit Channel(const char* thread_name) : sinks_(std::make_shared<Sinks>()) {
    // The thread takes no signal from the threads that are there for them.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      pool_ = std::make_shared<spdlog::details::thread_pool>(
          kQueue, 1, [thread_name] { name_thread(thread_name); });
      logger_ = std::make_shared<spdlog::async_logger>(
          "lacuna", sinks_, pool_, spdlog::async_overflow_policy::overrun_oldest);
    } catch (const std::exception&) {  // no thread to be had: a log that may block beats none
      logger_ = std::make_shared<spdlog::logger>("lacuna", sinks_);
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    logger_->set_level(spdlog::level::trace);
  }

  void add(spdlog::sink_ptr sink) { sinks_->add_sink(std::move(sink)); }

  void write(spdlog::level::level_enum level, const std::string& text) {
    ++given_;
    logger_->log(level, spdlog::string_view_t(text));
  }

  bool drained() const {
    const auto lost = pool_ ? static_cast<std::int64_t>(pool_->overrun_counter()) : 0;
    return sinks_->written() + lost >= given_;
  }

 private:
  std::shared_ptr<Sinks> sinks_;
  std::shared_ptr<spdlog::details::thread_pool> pool_;
  std::shared_ptr<spdlog::logger> logger_;
  std::atomic<std::int64_t> given_{0};
};

// Two channels: what a hanging file holds up still reaches the terminal. Never destroyed, because
// threads and destructors of static objects may log until the very end.
struct Outlets {
  Outlets() {
    screen->set_pattern("%^%l%$: %v");
    terminal.add(screen);
    const char* named = std::getenv("LACUNA_LOG");
    level = named ? spdlog::level::from_str(named) : spdlog::level::info;
    std::atexit([] { flush(kExitSeconds); });
  }

  std::shared_ptr<spdlog::sinks::stderr_color_sink_mt> screen =
      std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  Channel terminal{"log"};
  std::mutex adding;
  std::atomic<Channel*> files{nullptr};  // from the first file on
  std::atomic<spdlog::level::level_enum> level{spdlog::level::info};
};

Outlets& outlets() {
  static auto* const instance = new Outlets;
  return *instance;
}

}  // namespace

void write(Level level, const std::string& text) {
  Outlets& out = outlets();
  const auto weight = to_spdlog(level);
  if (weight < out.level) return;
  out.terminal.write(weight, text);
  if (Channel* files = out.files) files->write(weight, text);
}

void set_level(Level level) { outlets().level = to_spdlog(level); }

void set_rank(int rank) {
  flush(kExitSeconds);  // what was said before is shown as it was meant
  const auto& screen = outlets().screen;
  screen->set_level(spdlog::level::warn);
  screen->set_pattern("%^%l%$: rank " + std::to_string(rank) + ": %v");
}

void add_file(const std::string& path) {
  auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
  sink->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  Outlets& out = outlets();
  const std::lock_guard lock(out.adding);
  Channel* files = out.files;
  if (files == nullptr) files = new Channel("log files");
  files->add(std::move(sink));
  out.files = files;
}

bool flush(double seconds) {
  const Outlets& out = outlets();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  const Channel* files = out.files;
  while (!out.terminal.drained() || (files != nullptr && !files->drained())) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return true;
}

}  // namespace lacuna::log
