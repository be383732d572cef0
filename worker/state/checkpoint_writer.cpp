#include "worker/state/checkpoint_writer.h"

#include <chrono>
#include <exception>
#include <utility>

#include "base/process/thread_name.h"
#include "base/text/log.h"

namespace lacuna::worker {

CheckpointWriter::CheckpointWriter(CheckpointStore& store, Done done)
    : store_(store), done_(std::move(done)), thread_([this] { run(); }) {}

CheckpointWriter::~CheckpointWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool CheckpointWriter::busy() const {
  const std::lock_guard lock(mutex_);
  return writing_ || next_.has_value();
}

void CheckpointWriter::submit(Snapshot snapshot) {
  wait();
  {
    const std::lock_guard lock(mutex_);
    next_ = std::move(snapshot);
  }
  changed_.notify_all();
}

void CheckpointWriter::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !writing_ && !next_; });
}

std::int64_t CheckpointWriter::failures() const {
  const std::lock_guard lock(mutex_);
  return failures_;
}

bool CheckpointWriter::last_failed() const {
  const std::lock_guard lock(mutex_);
  return last_failed_;
}

void CheckpointWriter::run() {
  name_thread("checkpoint");
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || next_; });
    if (!next_) return;
    const Snapshot snapshot = std::move(*next_);
    next_.reset();
    writing_ = true;
    lock.unlock();
    const auto start = std::chrono::steady_clock::now();
    std::string error;
    try {
      write(snapshot);
    } catch (const std::exception& thrown) {
      error = thrown.what();
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    done_(snapshot, took.count(), error);
    // Apart from the save: what cannot be deleted makes no save worse.
    if (error.empty()) prune(snapshot);
    lock.lock();
    writing_ = false;
    last_failed_ = !error.empty();
    failures_ += last_failed_;
    changed_.notify_all();
  }
}

void CheckpointWriter::write(const Snapshot& snapshot) {
  const std::string state = snapshot.state.dump(2) + "\n";
  const auto* text = reinterpret_cast<const std::byte*>(state.data());
  std::map<std::string, std::vector<std::byte>> contents;
  contents["model.safetensors"] = encode(snapshot.model);
  contents["optimizer.safetensors"] = encode(snapshot.optimizer);
  if (!snapshot.ema.empty()) contents["ema.safetensors"] = encode(snapshot.ema);
  if (!snapshot.pending.empty()) contents["pending.safetensors"] = encode(snapshot.pending);
  contents["state.json"].assign(text, text + state.size());
  store_.save(snapshot.step, contents);
}

void CheckpointWriter::prune(const Snapshot& snapshot) {
  for (const std::string& failure : store_.prune(snapshot.keep)) {
    log::warn(
        "{} An old checkpoint stays; its removal is tried again after each save. The checkpoint of "
        "step {} is saved.",
        failure, snapshot.step);
  }
}

}  // namespace lacuna::worker
