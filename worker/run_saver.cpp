#include "worker/run_saver.h"

#include "base/error.h"

namespace lacuna::worker {

RunSaver::RunSaver(RunCheckpoints& checkpoints, TrainingState& state, MetaPhases& meta,
                   RankGroup& ranks, RunProgress& counters)
    : checkpoints_(checkpoints), state_(state), meta_(meta), ranks_(ranks), counters_(counters) {}

void RunSaver::save() {
  ranks_.enter(counters_.step, Activity::kSaving);
  counters_.meta_pending = meta_.pending();
  saved_pending_line_ = !counters_.pending_line.is_null();
  checkpoints_.save(state_, counters_, meta_.pending_tensors());
}

void RunSaver::save_before_validation(const Json& line) {
  if (checkpoints_.saved_step() == counters_.step) return;
  counters_.pending_line = line;
  save();
}

// A checkpoint from before the validation says that it is not complete; once it is, that is stale.
bool RunSaver::is_saved() const {
  const bool stale = saved_pending_line_ && counters_.pending_line.is_null();
  return checkpoints_.saved_step() == counters_.step && !stale;
}

void RunSaver::save_now() {
  bool saved = true;
  if (ranks_.writes() && (!is_saved() || !checkpoints_.finish())) {
    save();
    saved = checkpoints_.finish();
  }
  if (!ranks_.any(!saved, "the last save", kPatience)) return;
  throw_error<DataError>(
      "step {} could not be saved (reason above). Free space and start the "
      "same command again: it resumes from the newest valid checkpoint.",
      counters_.step);
}

}  // namespace lacuna::worker
