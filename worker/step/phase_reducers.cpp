#include "worker/step/phase_reducers.h"

namespace lacuna::worker {

PhaseReducers::PhaseReducers(RankGroup& ranks, TrainingState& state, bool bf16)
    : ranks_(ranks), state_(state) {
  options_.bf16 = bf16;
  options_.deadline = ranks.deadline();
}

comm::GradientReducer& PhaseReducers::of(const methods::Phase& phase) {
  std::string groups;
  for (const auto& trained : phase.trains) groups += trained.group + "\n";
  auto& reducer = reducers_[groups];
  if (!reducer) {
    const RankGroup::Waiting waiting(ranks_);  // the lists are compared over ranks
    reducer = std::make_unique<comm::GradientReducer>(ranks_.trainer_ranks(),
                                                      state_.trained_by(phase), options_);
  }
  return *reducer;
}

}  // namespace lacuna::worker
