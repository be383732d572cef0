// Saving the present step of a run: in the background, before a validation, and for good.
//
// A step is saved before its validation begins, with its line of metrics, so that whatever ends the
// validation costs none of the steps before it; a run that goes on from there validates it again.
// Not thread-safe.
#pragma once

#include "worker/run/run_checkpoints.h"
#include "worker/validation/meta_phases.h"

namespace lacuna::worker {

class RunSaver {
 public:
  // All must outlive the object.
  RunSaver(RunCheckpoints& checkpoints, TrainingState& state, MetaPhases& meta, RankGroup& ranks,
           RunProgress& counters);

  // Written in the background; a failure is counted and told.
  void save();
  // The same unless the step is saved; the counters hold `line` until its validation is complete.
  void save_before_validation(const Json& line);
  // Waits until the step is saved as it is now. Collective over the trainers; throws DataError on
  // every rank when it cannot be.
  void save_now();

 private:
  bool is_saved() const;

  RunCheckpoints& checkpoints_;
  TrainingState& state_;
  MetaPhases& meta_;
  RankGroup& ranks_;
  RunProgress& counters_;
  bool saved_pending_line_ = false;  // the newest checkpoint holds one
};

}  // namespace lacuna::worker
