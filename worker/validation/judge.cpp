#include "worker/validation/judge.h"

#include <algorithm>
#include <utility>

#include "base/text/log.h"

namespace lacuna::worker {
namespace {

// Trainers that wait for a score ask one another so often whether to stop.
constexpr comm::Seconds kAskEvery{0.5};
constexpr const char* kScore = "the score of a validation";

}  // namespace

Judge::Judge(const RunConfig& config, const data::Cohort& cohort, std::vector<int> cases,
             methods::Method& method, TrainingState& state, RankGroup& ranks, ValidationLink* link,
             RunProgress& counters)
    : config_(config),
      cohort_(cohort),
      cases_(std::move(cases)),
      files_(cohort),
      method_(method),
      state_(state),
      ranks_(ranks),
      link_(link),
      counters_(counters) {}

bool Judge::starts_at(std::int64_t step) const {
  if (cases_.empty()) return false;
  return step % config_.validate_every == 0 || step == config_.steps;
}

bool Judge::validates_here(std::int64_t step) const {
  return !link_ && starts_at(step) && judged_ != step;
}

// A step before the end, so that the line of the last step has room for the last score.
std::int64_t Judge::verdict_at() const {
  const std::int64_t candidate = *counters_.candidate;
  const std::int64_t lag =
      std::min(config_.validate_lag.value_or(config_.validate_every), config_.validate_every);
  return std::min(candidate + lag, std::max(candidate + 1, config_.steps - 1));
}

bool Judge::reports_at(std::int64_t step) const {
  if (!link_) return starts_at(step);
  return (counters_.candidate && verdict_at() <= step) ||
         (starts_at(step) && step == config_.steps);
}

Judge::Report Judge::after_step(std::int64_t step, const std::function<bool()>& go_on) {
  Report report;
  if (!link_) {
    if (!validates_here(step)) return report;
    const auto score = validate_here(go_on);
    report.stopped = !score;
    if (score) judge(report, step, score->score, score->detail);
    return report;
  }
  if (counters_.candidate && verdict_at() <= step && !collect(report, go_on)) return report;
  // A stop may have come while the score of this very step was waited for.
  if (!starts_at(step) || judged_ == step) return report;
  TensorPack weights;
  if (ranks_.writes()) {
    weights = TensorPack(state_.evaluated());
    weights.take(state_.evaluated());
  }
  submit(step, weights);
  report.candidate = step < config_.steps;
  if (!report.candidate) collect(report, go_on);
  return report;
}

void Judge::submit(std::int64_t step, const TensorPack& weights) {
  counters_.candidate = step;
  answer_ = link_->submit_validation({{"kind", "validate"}, {"step", step}}, weights);
}

// Waits until every trainer has the score, or one of them wants to stop: false, and the candidate
// stays one.
bool Judge::collect(Report& report, const std::function<bool()>& go_on) {
  const RankGroup::Waiting waiting(ranks_, ranks_.validation_rank());
  for (comm::Seconds moment{0};; moment = kAskEvery) {
    const bool here = answer_->arrives_within(moment, kScore);
    if (!ranks_.any(!here, "waiting for a score")) break;
    report.stopped = ranks_.any(!go_on(), "waiting for a score");
    if (report.stopped) return false;
  }
  const Json answer = std::exchange(answer_, nullptr)->wait(kScore);
  judged_ = std::exchange(counters_.candidate, std::nullopt);
  judge(report, *judged_, answer.at("score"), answer.at("detail"));
  return true;
}

void Judge::judge(Report& report, std::int64_t step, double score, Json detail) {
  skipped_cases_ = detail.value("skipped_cases", 0);
  for (const Json& each : detail.value("skipped", Json::array())) {
    if (told_.insert(each.at("case")).second) report.unread.push_back(each);
  }
  if (detail.at("cases") == 0) {
    log::warn("step {}: no validation case could be read, so it has no score", step);
    return;
  }
  detail["step"] = step;
  Verdict verdict{step, score, !counters_.best_step || score > counters_.best_score, detail};
  if (verdict.best) {
    counters_.best_score = score;
    counters_.best_step = step;
  }
  log::info("step {}: validation score {:.4f}", step, score);
  report.verdicts.push_back(std::move(verdict));
}

std::optional<ValidationScore> Judge::validate_here(const std::function<bool()>& go_on) {
  ranks_.enter(counters_.step, Activity::kValidating);
  Ema* average = state_.ema();
  if (average) average->swap();
  const auto next = [&] {
    ranks_.enter(counters_.step, Activity::kValidating);
    return go_on();
  };
  auto score = validate(method_, cohort_, cases_, files_, validation_options(config_), ranks_,
                        /*shared=*/true, next);
  if (average) average->swap();
  return score;
}

Judge::Report Judge::restore(const RunCheckpoints& checkpoints) {
  Report report;
  if (!counters_.candidate) return report;
  const std::int64_t step = *counters_.candidate;
  const bool there =
      ranks_.any(ranks_.writes() && checkpoints.holds(step), "the candidate checkpoint", kPatience);
  if (!there) {
    log::warn("the checkpoint of step {} is not there any more: it is not validated", step);
    counters_.candidate.reset();
    return report;
  }
  TensorPack weights(state_.evaluated());
  if (link_) {
    if (ranks_.writes()) checkpoints.load_evaluated(step, weights.tensors(), state_);
    submit(step, weights);
    return report;
  }
  checkpoints.load_evaluated(step, weights.tensors(), state_);
  TensorPack present(state_.model());
  present.take(state_.model());
  weights.put(state_.model());
  const auto score = validate(method_, cohort_, cases_, files_, validation_options(config_), ranks_,
                              /*shared=*/true, [] { return true; });
  present.put(state_.model());
  judged_ = std::exchange(counters_.candidate, std::nullopt);
  judge(report, step, score->score, score->detail);
  return report;
}

void record(const Judge::Report& report, std::int64_t step, bool writes, RunFiles& files) {
  for (const Json& each : report.unread) {
    if (!writes) break;
    log::warn("validation case {} is left out: {}", each.at("case").get<std::string>(),
              each.at("reason").get<std::string>());
    files.event("validation_case_skipped", step, each);
  }
  for (const auto& verdict : report.verdicts) {
    files.event("validation", verdict.step, {{"score", verdict.score}});
  }
}

void Judge::drain() {
  if (!answer_) return;
  link_->cancel_validation();
  answer_->wait(kScore);
}

}  // namespace lacuna::worker
