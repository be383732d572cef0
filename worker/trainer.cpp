#include "worker/trainer.h"

#include <chrono>
#include <optional>

#include <torch/types.h>

#include "base/log.h"
#include "base/progress.h"
#include "methods/registry.h"
#include "worker/device_setup.h"
#include "worker/patch_check.h"
#include "worker/phase_step.h"
#include "worker/run_checkpoints.h"
#include "worker/run_files.h"
#include "worker/run_plan.h"
#include "worker/run_progress.h"
#include "worker/stage_feed.h"
#include "worker/step_metrics.h"
#include "worker/training_state.h"
#include "worker/validation.h"

namespace lacuna::worker {
namespace {

constexpr int kRank = 0;  // of one process

std::unique_ptr<methods::Method> make_method(const RunConfig& config, const data::Cohort& cohort,
                                             const TrainingHooks& hooks) {
  seed_generators(config.seed, -1, kRank);
  auto method = hooks.make_method ? hooks.make_method(cohort)
                                  : methods::make_method(config.method, cohort.modalities,
                                                         config.width, config.method_options);
  method->initialise();
  check_patch(*method, run_recipe(*method, config).patch, "run");
  return method;
}

Json describe(const data::Cohort& cohort, const RunConfig& config) {
  return {{"fingerprint", cohort.fingerprint},
          {"modalities", cohort.modalities.names()},
          {"profile", cohort.profile},
          {"split", config.split},
          {"cases", cohort.cases.size()}};
}

std::vector<int> validation_cases(const RunConfig& config, const data::Cohort& cohort) {
  if (config.validate_every == 0) return {};
  std::vector<int> cases = cohort.part(config.split, "validation");
  if (cases.empty()) {
    log::warn("split {} has no validation cases: the best checkpoint is the newest", config.split);
  }
  if (static_cast<std::int64_t>(cases.size()) > config.validate_cases) {
    cases.resize(static_cast<std::size_t>(config.validate_cases));
  }
  return cases;
}

class Trainer {
 public:
  Trainer(const RunConfig& config, const std::filesystem::path& directory,
          const TrainingHooks& hooks)
      : config_(config),
        hooks_(hooks),
        files_(config, directory),
        cohort_(data::open_cohort(config.cache)),
        placement_(set_up_device(config)),
        method_(make_method(config, cohort_, hooks)),
        plan_(*method_, config),
        validation_cases_(validation_cases(config, cohort_)),
        checkpoints_(config_, files_,
                     hooks.checkpoint_files ? *hooks.checkpoint_files : posix_file_system(),
                     {{"run", config.resolved}, {"cohort", describe(cohort_, config)}}),
        progress_line_("train", "steps", config.steps, progress_style(!hooks.progress)) {
    files_.settle(config_, describe(cohort_, config_));
    place(*method_, placement_);
    state_.emplace(*method_, config_.ema);
  }

  TrainingResult run() {
    restore();
    if (counters_.step == plan_.steps() && counters_.pending_line.is_null()) {
      log::info("the run is finished: {} steps, best score {:.4f}. Evaluate it: lacuna eval",
                counters_.step, counters_.best_score);
      return result(ExitCode::kDone);
    }
    files_.open_metrics(counters_.step);
    progress_line_.update(counters_.step);
    if (!counters_.pending_line.is_null()) {  // a stop came between a step and its validation
      if (!after_step(counters_.pending_line)) return stop();
      checkpoints_.save(*state_, counters_);
    }
    method_->module().train();
    while (counters_.step < plan_.steps()) {
      enter_stage();
      train_step();
      if (counters_.nonfinite_in_row >= config_.nonfinite_limit) return diverged();
      const bool completed = after_step(due_line());
      const bool last = counters_.step == plan_.steps();
      if (!completed || (stop_requested() && !last)) return stop();
    }
    return finish();
  }

 private:
  bool stop_requested() const { return hooks_.stop_requested && hooks_.stop_requested(); }

  TrainingResult result(ExitCode code) const {
    return {code, counters_.step, counters_.best_score};
  }

  // begin_stage() may change weights (a student that starts from its teacher), so it runs for the
  // stages so far before the saved weights take their place.
  void restore() {
    const auto saved = checkpoints_.find();
    if (!saved) {
      files_.event("start", 0);
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
    checkpoints_.load(*state_);
    if (counters_.step < plan_.steps()) {
      log::info("resuming at step {} of {}", counters_.step, plan_.steps());
    }
    files_.event("resume", counters_.step);
  }

  void enter_stage() {
    const int stage = plan_.stage_at(counters_.step);
    const methods::Stage& now = plan_.stages()[static_cast<std::size_t>(stage)];
    if (stage != stage_) {
      counters_.stage = now.name;
      state_->enter_stage(now, counters_.step == plan_.start_of(stage));
      method_->begin_stage(stage);
      files_.event("stage", counters_.step, {{"stage", now.name}});
      stage_ = stage;
      feed_.reset();
    }
    if (!feed_) {
      feed_ = std::make_unique<StageFeed>(cohort_, run_recipe(*method_, config_), config_, plan_,
                                          counters_.step, placement_.device, placement_.layout);
      waited_ = 0;
    }
  }

  methods::Progress position() const {
    methods::Progress at;
    at.seed = config_.seed;
    at.step = counters_.step;
    at.steps = plan_.steps();
    at.stage = stage_;
    at.stage_step = counters_.step - plan_.start_of(stage_);
    const auto cases = static_cast<std::int64_t>(cohort_.part(config_.split, "train").size());
    at.steps_per_epoch = std::max<std::int64_t>(1, (cases + config_.batch - 1) / config_.batch);
    return at;
  }

  const methods::Stage& stage() const { return plan_.stages()[static_cast<std::size_t>(stage_)]; }

  void train_step() {
    const auto start = std::chrono::steady_clock::now();
    seed_generators(config_.seed, counters_.step, kRank);
    metrics_.begin_step();
    periodic_phase_ran_ = false;
    methods::Progress at = position();
    const PhaseSettings settings{config_.micro_batch, config_.precision == "bf16"};
    for (const methods::Phase& phase : stage().phases) {
      if (!RunPlan::is_due(phase, counters_.step)) continue;
      periodic_phase_ran_ |= phase.period > 1;
      for (at.repeat = 0; at.repeat < phase.repeats; ++at.repeat) {
        const methods::Batch& batch =
            phase.on_meta_set ? feed_->meta(phase) : feed_->training(at.repeat);
        metrics_.add(phase, run_phase(*method_, *state_, phase, batch, at, settings),
                     &phase == &stage().phases.front());
      }
      at.repeat = 0;
    }
    if (Ema* average = state_->ema()) average->update();
    method_->end_step(at);
    feed_->end_step();
    ++counters_.step;
    count_nonfinite();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    const double waited = feed_->wait_seconds();
    metrics_.end_step(config_.batch, took.count(), waited - waited_);
    waited_ = waited;
    progress_line_.update(counters_.step, fmt::format("{:.2f} samples/s  loss {:.4f}  lr {:.3g}",
                                                      metrics_.samples_per_second(),
                                                      metrics_.loss(), metrics_.learning_rate()));
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
    files_.event("nonfinite", counters_.step, {{"in_row", counters_.nonfinite_in_row}});
  }

  bool validation_due() const {
    if (validation_cases_.empty()) return false;
    return counters_.step % config_.validate_every == 0 || counters_.step == plan_.steps();
  }

  // The metrics line of the step, or null when none is due.
  Json due_line() {
    const bool due = counters_.step % config_.log_every == 0 || periodic_phase_ran_ ||
                     counters_.step == plan_.steps() || validation_due();
    if (!due) return nullptr;
    Json line = metrics_.take_line(counters_.step, stage(), *method_);
    line["skipped_steps"] = counters_.skipped_steps;
    line["skipped_cases"] = feed_->skipped_cases();
    line["checkpoint_failures"] = checkpoints_.failures();
    return line;
  }

  // Validates, logs and saves what is due; false when a stop was asked for during validation.
  bool after_step(Json line) {
    bool improved = false;
    if (validation_due()) {
      const auto score = run_validation();
      if (!score) {
        counters_.pending_line = std::move(line);
        return false;
      }
      line["validation"] = score->detail;
      improved = !counters_.best_step || score->score > counters_.best_score;
      if (improved) {
        counters_.best_score = score->score;
        counters_.best_step = counters_.step;
      }
    }
    counters_.pending_line = nullptr;
    if (!line.is_null()) files_.metrics().append(line);
    if (files_.lease_lost()) {
      throw_error<Error>("another process has taken over the run directory: this one stops");
    }
    const bool due = checkpoints_.is_due(counters_.step) && !checkpoints_.busy();
    if (improved || due) checkpoints_.save(*state_, counters_);
    return true;
  }

  std::optional<ValidationScore> run_validation() {
    Ema* average = state_->ema();
    if (average) average->swap();
    auto score = validate(*method_, cohort_, validation_cases_, config_.patch,
                          [&](int, int) { return !stop_requested(); });
    if (average) average->swap();
    if (!score) return score;
    log::info("step {}: validation score {:.4f}", counters_.step, score->score);
    files_.event("validation", counters_.step, {{"score", score->score}});
    return score;
  }

  // Saves this step unless it is saved; throws when it cannot be.
  void save_now() {
    if (checkpoints_.saved_step() != counters_.step || !checkpoints_.finish()) {
      checkpoints_.save(*state_, counters_);
    }
    if (checkpoints_.finish()) return;
    throw_error<DataError>(
        "step {} could not be saved (reason above). Free space and start the "
        "same command again: it resumes from the newest valid checkpoint.",
        counters_.step);
  }

  TrainingResult stop() {
    save_now();
    log::info("stopped on request at step {}; the same command resumes", counters_.step);
    files_.event("stop", counters_.step);
    return result(ExitCode::kSavedOnRequest);
  }

  TrainingResult diverged() {
    log::error(
        "diverged: {} steps in a row had a loss that is not finite. Lower "
        "train.learning_rate, or look at metrics.jsonl.",
        counters_.nonfinite_in_row);
    files_.event("diverged", counters_.step);
    return result(ExitCode::kDiverged);
  }

  TrainingResult finish() {
    save_now();
    files_.event("done", counters_.step, {{"best_score", counters_.best_score}});
    return result(ExitCode::kDone);
  }

  const RunConfig config_;
  const TrainingHooks& hooks_;
  RunFiles files_;
  data::Cohort cohort_;
  Placement placement_;
  std::unique_ptr<methods::Method> method_;
  RunPlan plan_;
  std::vector<int> validation_cases_;
  RunCheckpoints checkpoints_;
  Progress progress_line_;
  std::optional<TrainingState> state_;
  std::unique_ptr<StageFeed> feed_;
  StepMetrics metrics_;
  RunProgress counters_;
  int stage_ = -1;
  double waited_ = 0;
  bool periodic_phase_ran_ = false;
};

}  // namespace

TrainingResult train(const RunConfig& config, const std::filesystem::path& run_directory,
                     const TrainingHooks& hooks) {
  if (config.cache.empty()) {
    throw_error<ConfigError>(
        "data.cache is not set: name the directory that `lacuna ingest` "
        "wrote, for example --set data.cache=cache/");
  }
  return Trainer(config, run_directory, hooks).run();
}

}  // namespace lacuna::worker
