// The dedicated validation rank: does the jobs that the trainers send over their ValidationLink
// (worker/validation/validation_link.h) until they say that the run ends. A meta phase comes first,
// since the trainers need its result at a given step: a validation makes room for it between two
// cases.
//
// It keeps no state of its own between jobs: each brings all weights that it is about. A request to
// stop that reaches only this rank is passed on to the trainers. Not thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "worker/run/training_hooks.h"
#include "worker/state/tensor_pack.h"
#include "worker/validation/meta_worker.h"
#include "worker/validation/validation.h"

namespace lacuna::worker {

class ValidationRank {
 public:
  // All must outlive the object. stop_requested may be empty.
  ValidationRank(const RunConfig& config, const data::Cohort& cohort, const RunPlan& plan,
                 const std::vector<int>& validation_cases, methods::Method& method,
                 TrainingState& state, MetaWorker& worker, RankGroup& ranks,
                 std::function<bool()> stop_requested);

  // Until the run ends; throws PeerLost when the trainers fall silent.
  TrainingResult run();

 private:
  void await_header();
  bool header_is_there();  // also raises the alarm
  Json next_header();      // waits for it
  TensorPack receive(const NamedTensors& live);
  void send(comm::Communicator& channel, const Json& answer, const NamedTensors& tensors);
  void enter_stage(int stage);
  void run_meta_phase(const Json& job);
  void run_validation();
  bool validation_goes_on(const TensorPack& weights);
  void raise_alarm(bool stop);

  const RunConfig& config_;
  const data::Cohort& cohort_;
  const RunPlan& plan_;
  const std::vector<int>& cases_;
  ValidationCases files_;
  methods::Method& method_;
  TrainingState& state_;
  MetaWorker& worker_;
  RankGroup& ranks_;
  std::function<bool()> stop_requested_;

  std::vector<std::byte> header_;
  std::vector<std::unique_ptr<comm::Operation>> awaited_;  // the next header
  std::byte alarm_byte_{};
  std::unique_ptr<comm::Operation> alarm_;
  std::int64_t step_ = 0;
  int stage_ = -1;
};

}  // namespace lacuna::worker
