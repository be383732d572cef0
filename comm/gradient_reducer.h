// Sums gradients over ranks while backward is still running.
//
// Parameters are packed, in reverse order (the order in which backward finishes them), into flat
// buckets; `grad` of each parameter is a view into its bucket. A bucket whose gradients are all
// there is reduced at once; finish() counts what backward never touched as zeros, and waits. A rank
// weights its loss by its share of the global batch, so that the sum is the mean over samples.
// Which parameters take part never depends on the data (the drawn subset), only on the list given
// here, so that all ranks reduce the same buckets in the same order.
//
// The buckets live where the parameters live: in host memory, or on the rank's GPU, where they are
// summed beside the compute stream.
//
// One object per list of parameters that are trained together; lists may overlap, but only one
// object may be between begin() and finish(). Not thread-safe: backward
// must run on the thread that owns it (CPU) or on one device's autograd thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "comm/communicator.h"

namespace lacuna::comm {

struct ReducerOptions {
  std::int64_t bucket_bytes = 25 << 20;       // few large messages use the network best
  std::int64_t first_bucket_bytes = 1 << 20;  // small: the first message leaves early
  bool bf16 = false;                          // gradients travel rounded to bfloat16
  Seconds deadline{300};
};

class GradientReducer {
 public:
  using NamedParameters = std::vector<std::pair<std::string, at::Tensor>>;

  // Collective: compares a hash of (name, shape, dtype) over ranks and throws Error naming a rank
  // that differs. The communicator must outlive the reducer.
  GradientReducer(Communicator& ranks, NamedParameters parameters, ReducerOptions options);
  ~GradientReducer();  // detaches from the parameters

  // Before the first backward of a step: gradients become zeroed views into the buckets.
  // `backwards` is the number of backward passes (micro-batches) that will be added up; reduction
  // overlaps the last one. on_gradient: called whenever a gradient is there (on the thread of
  // backward), also for what has to move along meanwhile; must live until finish(), may be null.
  void begin(int backwards = 1, const std::function<void()>* on_gradient = nullptr);
  CommResult finish();
  // Which parameters, in the order given, had a gradient on this rank since begin().
  std::vector<bool> touched() const;

  double wait_seconds() const;  // time spent in finish() waiting, over the life of the object
  std::int64_t bytes_per_step() const;

 private:
  class State;
  std::shared_ptr<State> state_;
};

// The same call for parameters that nobody sums: while it lives. Their places for a hook must be
// free.
class GradientHooks {
 public:
  GradientHooks(GradientReducer::NamedParameters parameters, const std::function<void()>& call);
  ~GradientHooks();
  GradientHooks(const GradientHooks&) = delete;
  GradientHooks& operator=(const GradientHooks&) = delete;

 private:
  GradientReducer::NamedParameters parameters_;
};

}  // namespace lacuna::comm
