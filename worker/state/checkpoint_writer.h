// Writes checkpoints in a thread of its own, from copies on the host, so that training goes on.
//
// One checkpoint is in flight at a time. A failure (full disk) is counted and reported through the
// callback; it never stops training. The callback runs in the writer's thread. Older checkpoints
// are removed after a good save only, and what cannot be removed is a warning.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "base/text/json.h"
#include "worker/state/checkpoint_store.h"
#include "worker/state/tensor_transfer.h"

namespace lacuna::worker {

// A training state on the host.
struct Snapshot {
  std::int64_t step = 0;
  NamedTensors model, optimizer, ema, pending;  // the last two may be empty
  Json state;
  std::set<std::int64_t> keep;  // steps that pruning must leave
  double stall_seconds = 0;     // for which training stood still to take it
};

class CheckpointWriter {
 public:
  // error: empty when the checkpoint is durable.
  using Done = std::function<void(const Snapshot&, double seconds, const std::string& error)>;

  CheckpointWriter(CheckpointStore& store, Done done);
  ~CheckpointWriter();  // finishes what is in flight

  bool busy() const;
  void submit(Snapshot snapshot);  // waits for the one in flight
  void wait();
  std::int64_t failures() const;
  bool last_failed() const;

 private:
  void run();
  void write(const Snapshot& snapshot);
  void prune(const Snapshot& snapshot);

  CheckpointStore& store_;
  Done done_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Snapshot> next_;
  bool writing_ = false, stopping_ = false, last_failed_ = false;
  std::int64_t failures_ = 0;
  std::thread thread_;
};

}  // namespace lacuna::worker
