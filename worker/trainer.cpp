#include "worker/trainer.h"

#include <chrono>
#include <functional>
#include <optional>
#include <utility>

#include "base/text/log.h"
#include "base/text/progress.h"
#include "worker/run/initial_weights.h"
#include "worker/run/run_check.h"
#include "worker/run/run_checkpoints.h"
#include "worker/run/run_position.h"
#include "worker/run/seen_cases.h"
#include "worker/run_saver.h"
#include "worker/setup/run_setup.h"
#include "worker/step/phase_reducers.h"
#include "worker/step/phase_step.h"
#include "worker/step/stage_feed.h"
#include "worker/step/step_agreement.h"
#include "worker/step/step_buffers.h"
#include "worker/step/step_figures.h"
#include "worker/step/step_metrics.h"
#include "worker/step/step_trace.h"
#include "worker/validation/judge.h"
#include "worker/validation/meta_phases.h"
#include "worker/validation/validation_rank.h"

namespace lacuna::worker {
namespace {

class Trainer {
 public:
  Trainer(const RunConfig& config, const std::filesystem::path& directory,
          const TrainingHooks& hooks)
      : config_(config),
        hooks_(hooks),
        ranks_(hooks.ranks, hooks.pulse, config.meta_dedicated, hooks.peer_deadline,
               hooks.overseen),
        files_(open_run_files(config, directory, ranks_, hooks)),
        cohort_(open_training_cohort(config)),
        placement_(set_up_device(config, hooks.gpu, hooks.device)),
        method_(make_run_method(config, cohort_, hooks)),
        plan_(*method_, config, ranks_.trainers()),
        validation_cases_(validation_cases(config, cohort_)),
        checkpoints_(config_, *files_,
                     hooks.checkpoint_files ? *hooks.checkpoint_files : posix_file_system(),
                     {{"run", config.resolved}, {"cohort", describe(cohort_, config)}},
                     ranks_.writes()),
        agreement_(
            ranks_, [this] { return stop_requested(); }, hooks.checkpoint_requested),
        progress_line_("train", "steps", config.steps,
                       progress_style(!hooks.progress || !ranks_.writes())),
        figures_(hooks.metrics, cohort_.modalities, ranks_.trains()),
        profile_(config.profile,
                 directory / "profile" / fmt::format("rank-{}.json", ranks_.rank())) {
    files_->settle(config_, describe(cohort_, config_));
    files_->store_seen_cases(describe_seen_cases(config_, cohort_, validation_cases_));
    if (ranks_.writes()) plan_.announce_joint(config_, ranks_.trainers());
    data_.emplace(config_, cohort_, ranks_, *files_);
    place(*method_, placement_);
    state_.emplace(*method_, config_.ema);
    buffers_.emplace(*state_);
    reducers_.emplace(ranks_, *state_, config_.bf16_gradients);
    meta_worker_.emplace(config_, cohort_, plan_, *method_, *state_, placement_, ranks_);
    if (ranks_.has_validation_rank() && ranks_.trains()) link_.emplace(ranks_);
    ValidationLink* link = link_ ? &*link_ : nullptr;
    meta_.emplace(config_, cohort_, plan_, ranks_, *meta_worker_, *state_, link);
    judge_.emplace(config_, cohort_, validation_cases_, *method_, *state_, ranks_, link, counters_);
    saver_.emplace(checkpoints_, *state_, *meta_, ranks_, counters_);
  }

  TrainingResult run() {
    publish_plan();
    const auto saved = checkpoints_.find(ranks_);
    const auto given =
        saved ? Json() : start_from_weights(config_, *state_, method_->given_tensors());
    if (!given.is_null()) files_->event("init", 0, given);
    if (!ranks_.trains()) {
      return ValidationRank(config_, cohort_, plan_, validation_cases_, *method_, *state_,
                            *meta_worker_, ranks_, hooks_.stop_requested)
          .run();
    }
    restore(saved);
    const TrainingResult result = train();
    if (link_) link_->end(result.code, result.step, counters_.best_score);
    ranks_.enter(counters_.step, Activity::kFinished);
    return result;
  }

 private:
  bool stop_requested() {
    return (hooks_.stop_requested && hooks_.stop_requested()) || (link_ && link_->alarmed()) ||
           out_of_time();
  }

  // train.max_seconds of this start. One rank that finds it over is enough.
  bool out_of_time() {
    if (config_.max_seconds == 0) return false;
    const std::chrono::duration<double> since = std::chrono::steady_clock::now() - started_;
    if (since.count() < config_.max_seconds) return false;
    if (!std::exchange(told_time_, true)) {
      log::info("train.max_seconds: {:g} s are over", config_.max_seconds);
    }
    return true;
  }

  // validate.patience: so many validations have passed since the best one. A function of what a
  // checkpoint holds, so that a run that ended so ends again when it is started again.
  bool has_plateaued() const {
    if (config_.validate_patience == 0 || config_.validate_every == 0 || !counters_.best_step) {
      return false;
    }
    const std::int64_t known_after =
        link_ ? config_.validate_lag.value_or(config_.validate_every) : 0;
    return counters_.step - *counters_.best_step >=
           config_.validate_patience * config_.validate_every + known_after;
  }

  TrainingResult result(ExitCode code) const {
    return {code, counters_.step, counters_.best(), ranks_.writes()};
  }

  void publish_plan() const {
    if (!hooks_.publish || !ranks_.writes()) return;
    hooks_.publish("plan", describe_plan(config_, plan_, ranks_, cohort_, *method_));
  }

  TrainingResult train() {
    const bool over = counters_.step == plan_.steps() || has_plateaued();
    if (over && counters_.pending_line.is_null()) {
      log::info("the run is finished: {} steps. Evaluate it: lacuna eval", counters_.step);
      return result(ExitCode::kDone);
    }
    // The line of a step whose validation was not complete is written again.
    files_->open_metrics(counters_.pending_line.is_null() ? counters_.step : counters_.step - 1);
    progress_line_.update(counters_.step);
    if (!counters_.pending_line.is_null()) {  // a stop came between a step and its validation
      if (!after_step(counters_.pending_line)) return stop();
      saver_->save();
    }
    method_->module().train();
    while (counters_.step < plan_.steps() && !has_plateaued()) {
      enter_stage();
      profile_.enter(counters_.step + 1);
      train_step();
      if (counters_.nonfinite_in_row >= config_.nonfinite_limit) return diverged();
      const bool completed = after_step(due_line());
      const bool last = counters_.step == plan_.steps();
      if (!completed || (!last && agreement_.stop())) return stop();
    }
    return finish();
  }

  // begin_stage() may change weights (a student that starts from its teacher), so it runs for the
  // stages so far before the saved weights take their place.
  void restore(const std::optional<RunProgress>& saved) {
    if (!saved) {
      files_->event("start", 0, describe_start(ranks_, placement_));
      return;
    }
    counters_ = *saved;
    for (std::size_t i = 0; i < plan_.stages().size(); ++i) {
      const int stage = static_cast<int>(i);
      if (plan_.stages()[i].steps == 0 || plan_.start_of(stage) >= counters_.step) continue;
      state_->enter_stage(plan_.stages()[i], /*fresh=*/false);
      method_->begin_stage(stage);
      stage_ = stage;
    }
    checkpoints_.load(*state_, ranks_);
    if (counters_.step < plan_.steps()) {
      log::info("resuming at step {} of {} on {} rank{}", counters_.step, plan_.steps(),
                ranks_.size(), ranks_.size() > 1 ? "s" : "");
    }
    files_->event("resume", counters_.step, describe_start(ranks_, placement_));
    meta_->restore(counters_.meta_pending, checkpoints_.pending_file());
    const Judge::Report late = judge_->restore(checkpoints_);
    tell(late);
    for (const auto& verdict : late.verdicts) late_validation_ = verdict.detail;
  }

  void enter_stage() {
    const int stage = plan_.stage_at(counters_.step);
    const methods::Stage& now = plan_.stages()[static_cast<std::size_t>(stage)];
    if (stage != stage_) {
      counters_.stage = now.name;
      state_->enter_stage(now, counters_.step == plan_.start_of(stage));
      state_->hand_over([&] { method_->begin_stage(stage); });
      files_->event("stage", counters_.step, {{"stage", now.name}});
      stage_ = stage;
      feed_.reset();
    }
    if (!feed_) {
      feed_ = std::make_unique<StageFeed>(*data_, run_recipe(*method_, config_), config_, plan_,
                                          counters_.step, placement_, ranks_, figures_.loader());
      waited_ = 0;
    }
  }

  const methods::Stage& stage() const { return plan_.stages()[static_cast<std::size_t>(stage_)]; }

  void train_step() {
    const auto start = std::chrono::steady_clock::now();
    seed_generators(config_.seed, counters_.step, ranks_.rank());
    metrics_.begin_step();
    agreement_.begin_step();
    periodic_phase_ran_ = false;
    bool finite = true, generator_moved = false;
    buffers_->keep();
    methods::Progress at = run_position(plan_, config_, cohort_, counters_.step);
    note(with_validation_rank([&] { return meta_->before_step(at.step); }));
    for (const methods::Phase& phase : stage().phases) {
      if (!RunPlan::is_due(phase, at.step)) continue;
      if (phase.on_meta_set) {
        const auto outcome = with_validation_rank([&] { return meta_->run(phase, at); });
        if (outcome) note({{&phase, *outcome}});
        generator_moved = true;
        continue;
      }
      // A phase on the meta set seeds the generators of the rank that runs it: what comes after it
      // must not depend on which one that is.
      if (std::exchange(generator_moved, false)) {
        seed_generators(config_.seed, at.step, ranks_.rank(), plan_.phase_number(stage_, phase));
      }
      periodic_phase_ran_ |= phase.period > 1;
      for (at.repeat = 0; at.repeat < phase.repeats; ++at.repeat) {
        const PhaseOutcome outcome = train_phase(phase, at);
        metrics_.add(phase, outcome, is_first(phase));
        figures_.ran(outcome, /*on_meta_set=*/false);
        finite = finite && outcome.finite;
      }
      at.repeat = 0;
    }
    note(with_validation_rank([&] { return meta_->after_phases(at.step); }));
    ranks_.enter(at.step, Activity::kUpdating);
    // A skipped step moves nothing: neither the average nor what its samples left in the buffers.
    if (!finite) buffers_->restore();
    if (Ema* average = state_->ema(); average && finite) average->update();
    method_->end_step(at);
    buffers_->share(ranks_, static_cast<double>(samples_) / static_cast<double>(config_.batch));
    feed_->end_step();
    if (link_) with_validation_rank([&] { link_->poll(); });
    ++counters_.step;
    count_nonfinite();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    const double waited = feed_->wait_seconds();
    metrics_.end_step(config_.batch, took.count(), waited - waited_);
    figures_.end_step(samples_, took.count(), waited - waited_);
    figures_.backlog(meta_->pending_count() + (counters_.candidate ? 1 : 0));
    waited_ = waited;
    progress_line_.update(counters_.step, fmt::format("{:.2f} samples/s  loss {:.4f}  lr {:.3g}",
                                                      metrics_.samples_per_second(),
                                                      metrics_.loss(), metrics_.learning_rate()));
  }

  // A call that hands jobs to the validation rank or waits for its answers, if there is one.
  template <typename Call>
  auto with_validation_rank(const Call& call) const -> decltype(call()) {
    const LostTime timer{link_ ? &figures_ : nullptr};
    return call();
  }

  bool is_first(const methods::Phase& phase) const {
    return phase.name == stage().phases.front().name;
  }

  // Results of phases on the meta set that have taken effect in this step.
  void note(const MetaPhases::Applied& applied) {
    for (const auto& [phase, outcome] : applied) {
      metrics_.add(*phase, outcome, is_first(*phase));
      figures_.ran(outcome, /*on_meta_set=*/true);
      periodic_phase_ran_ |= phase->period > 1;
    }
  }

  PhaseOutcome train_phase(const methods::Phase& phase, const methods::Progress& at) {
    const StepTrace::Range range(phase.name);
    const PhaseSettings settings{config_.micro_batch, config_.precision == "bf16", &meanwhile_,
                                 &hooks_.learning_rate};
    ranks_.enter(at.step, Activity::kWaitingForData);
    const methods::Batch& batch = feed_->training(at.repeat);
    samples_ = batch.image.size(0);
    figures_.drew(batch.subsets);
    ranks_.enter(at.step, Activity::kComputing);
    if (ranks_.trainers() == 1) return run_phase(*method_, *state_, phase, batch, at, settings);
    const SharedPhase shared{ranks_, agreement_, reducers_->of(phase), config_.batch};
    return run_phase(*method_, *state_, phase, batch, at, settings, &shared);
  }

  void count_nonfinite() {
    if (metrics_.finite()) {
      counters_.nonfinite_in_row = 0;
      return;
    }
    ++counters_.nonfinite_in_row;
    ++counters_.skipped_steps;
    log::warn("step {}: the loss or a gradient is not finite; its update is skipped ({} in a row)",
              counters_.step, counters_.nonfinite_in_row);
    files_->event("nonfinite", counters_.step, {{"in_row", counters_.nonfinite_in_row}});
  }

  // The metrics line of the step, or null when none is due.
  Json due_line() {
    const bool due = counters_.step % config_.log_every == 0 || periodic_phase_ran_ ||
                     counters_.step == plan_.steps() || judge_->reports_at(counters_.step) ||
                     !late_validation_.is_null();
    if (!due) return nullptr;
    Json line = metrics_.take_line(counters_.step, stage(), *method_);
    line["skipped_steps"] = counters_.skipped_steps;
    line["skipped_cases"] =
        feed_->skipped_cases() + meta_worker_->skipped_cases() + judge_->skipped_cases();
    line["checkpoint_failures"] = checkpoints_.failures();
    return line;
  }

  // Validates, logs and saves what is due; false when a stop was asked for during validation.
  bool after_step(Json line) {
    if (!late_validation_.is_null()) line["validation"] = std::exchange(late_validation_, nullptr);
    if (judge_->validates_here(counters_.step)) saver_->save_before_validation(line);
    const auto go_on = [this] { return !stop_requested(); };
    checkpoints_.settle_best(counters_);
    const Judge::Report report =
        with_validation_rank([&] { return judge_->after_step(counters_.step, go_on); });
    // If the lines do not come to their end, the disk of the run directory is to blame.
    const RankGroup::Doing writing(ranks_, Activity::kSaving);
    tell(report);
    bool improved = false;
    for (const auto& verdict : report.verdicts) {
      // Two scores in one step (every = 1): the first gets a line of its own.
      if (line.contains("validation")) {
        files_->metrics({{"step", counters_.step}, {"validation", line["validation"]}});
      }
      line["validation"] = verdict.detail;
      improved |= verdict.best && verdict.step == counters_.step;
    }
    if (report.stopped) {
      counters_.pending_line = std::move(line);
      return false;
    }
    counters_.pending_line = nullptr;
    if (!line.is_null()) files_->metrics(line);
    files_->require_lease();
    const bool due = checkpoints_.is_due(counters_.step) && !checkpoints_.busy();
    if (agreement_.save() || improved || report.candidate || due) saver_->save();
    return true;
  }

  void tell(const Judge::Report& report) {
    figures_.could_not_read(std::ssize(report.unread));
    record(report, counters_.step, ranks_.writes(), *files_);
  }

  TrainingResult stop() {
    saver_->save_now();
    judge_->drain();
    meta_->drain();
    log::info("stopped on request at step {}; the same command resumes", counters_.step);
    files_->event("stop", counters_.step);
    return result(ExitCode::kSavedOnRequest);
  }

  TrainingResult diverged() {
    judge_->drain();
    meta_->drain();
    log::error(
        "diverged: {} steps in a row had a loss that is not finite. Lower "
        "train.learning_rate, or look at metrics.jsonl.",
        counters_.nonfinite_in_row);
    files_->event("diverged", counters_.step);
    return result(ExitCode::kDiverged);
  }

  TrainingResult finish() {
    saver_->save_now();
    const std::optional<double> best = counters_.best();
    if (counters_.step < plan_.steps()) {
      log::info("ended at step {} of {}: no better score in {} validations (validate.patience)",
                counters_.step, plan_.steps(), config_.validate_patience);
    }
    files_->event("done", counters_.step, {{"best_score", best ? Json(*best) : Json()}});
    return result(ExitCode::kDone);
  }

  const RunConfig config_;
  const TrainingHooks& hooks_;
  RankGroup ranks_;
  std::unique_ptr<RunFiles> files_;
  data::Cohort cohort_;
  Placement placement_;
  std::unique_ptr<methods::Method> method_;
  RunPlan plan_;
  std::vector<int> validation_cases_;
  RunCheckpoints checkpoints_;
  StepAgreement agreement_;
  Progress progress_line_;
  RunProgress counters_;
  std::optional<RunData> data_;
  std::optional<TrainingState> state_;
  std::optional<StepBuffers> buffers_;
  std::optional<PhaseReducers> reducers_;
  std::optional<MetaWorker> meta_worker_;
  std::optional<ValidationLink> link_;
  std::optional<MetaPhases> meta_;
  std::optional<Judge> judge_;
  std::optional<RunSaver> saver_;
  std::unique_ptr<StageFeed> feed_;
  StepMetrics metrics_;
  StepFigures figures_;
  std::int64_t samples_ = 0;  // of this rank in the newest batch
  int stage_ = -1;
  double waited_ = 0;
  bool periodic_phase_ran_ = false;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  bool told_time_ = false;
  StepTrace profile_;
  Json late_validation_;  // of a step before the restart; for the first line
  // While a phase computes: this rank gets on, and what is under way to and from the validation
  // rank moves along.
  const std::function<void()> meanwhile_ = [this] {
    ranks_.beat();
    if (link_) link_->poll();
  };
};

}  // namespace

TrainingResult train(const RunConfig& config, const std::filesystem::path& run_directory,
                     const TrainingHooks& hooks) {
  check_cache_named(config);
  try {
    return Trainer(config, run_directory, hooks).run();
  } catch (const c10::Error& error) {
    if (const auto refusal = explain_refusal(error)) throw *refusal;
    throw;
  }
}

}  // namespace lacuna::worker
