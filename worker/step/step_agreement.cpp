#include "worker/step/step_agreement.h"

#include <utility>

namespace lacuna::worker {

StepAgreement::StepAgreement(RankGroup& ranks, std::function<bool()> stop,
                             std::function<bool()> save)
    : ranks_(ranks), stop_hook_(std::move(stop)), save_hook_(std::move(save)) {}

void StepAgreement::begin_step() { agreed_ = stop_ = save_ = false; }

void StepAgreement::start(const PhaseOutcome& mine) {
  if (mine.parts.size() > kParts) {
    throw_error<Error>("a phase reports {} loss parts, at most {} can be summed over ranks",
                       mine.parts.size(), kParts);
  }
  values_.fill(0);
  values_[kNotFinite] = mine.finite ? 0 : 1;
  values_[kLoss] = static_cast<float>(mine.loss);
  for (std::size_t i = 0; i < mine.parts.size(); ++i) {
    values_[kFirstPart + i] = static_cast<float>(mine.parts[i].second);
  }
  start_sum();
}

void StepAgreement::start_sum() {
  values_[kStop] = stop_hook_ && stop_hook_() ? 1 : 0;
  values_[kSave] = save_hook_ && save_hook_() ? 1 : 0;
  sum_ = ranks_.trainer_ranks().sum(values_);
}

void StepAgreement::finish_sum() {
  ranks_.wait(*sum_, "the sum of losses and flags");
  sum_.reset();
  stop_ = stop_ || values_[kStop] > 0;
  save_ = save_ || values_[kSave] > 0;
  agreed_ = true;
}

void StepAgreement::finish(PhaseOutcome& outcome) {
  finish_sum();
  outcome.finite = values_[kNotFinite] == 0;
  outcome.loss = values_[kLoss];
  for (std::size_t i = 0; i < outcome.parts.size(); ++i) {
    outcome.parts[i].second = values_[kFirstPart + i];
  }
}

void StepAgreement::agree_on_flags() {
  if (agreed_) return;
  values_.fill(0);
  start_sum();
  finish_sum();
}

bool StepAgreement::stop() {
  if (ranks_.trainers() == 1) return stop_hook_ && stop_hook_();
  agree_on_flags();
  return stop_;
}

bool StepAgreement::save() {
  if (ranks_.trainers() == 1) return save_hook_ && save_hook_();
  agree_on_flags();
  return save_;
}

}  // namespace lacuna::worker
