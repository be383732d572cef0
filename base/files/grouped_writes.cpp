#include "base/files/grouped_writes.h"

#include <algorithm>
#include <utility>

namespace lacuna {

GroupedWrites::GroupedWrites(FileSystem& files, std::size_t most)
    : files_(files), most_(std::max<std::size_t>(1, most)), writer_([this] { run(); }) {}

GroupedWrites::~GroupedWrites() { stop(); }

void GroupedWrites::add(Path path, std::vector<std::byte> bytes) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failure_ || waiting_.size() < most_; });
  if (failure_) std::rethrow_exception(failure_);
  waiting_.push_back({std::move(path), std::move(bytes)});
  changed_.notify_all();
}

void GroupedWrites::finish() {
  stop();
  if (failure_) std::rethrow_exception(failure_);  // no other thread is left
}

void GroupedWrites::stop() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (writer_.joinable()) writer_.join();
}

void GroupedWrites::run() {
  for (;;) {
    std::vector<NewFile> group;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return ending_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      group.swap(waiting_);
    }
    changed_.notify_all();
    try {
      write_durably(files_, group);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
      waiting_.clear();
      changed_.notify_all();
      return;
    }
  }
}

}  // namespace lacuna
