#include "worker/run/run_plan.h"

#include <algorithm>

#include "base/error.h"
#include "base/text/log.h"

namespace lacuna::worker {
namespace {

// Multiples of `period` in [begin, end).
std::int64_t runs_between(std::int64_t begin, std::int64_t end, std::int64_t period) {
  return (end + period - 1) / period - (begin + period - 1) / period;
}

void apply_overrides(methods::Stage& stage, const RunConfig& config) {
  if (config.subsets) stage.subsets = *config.subsets;
  for (methods::Phase& phase : stage.phases) {
    if (phase.on_meta_set) {
      phase.period = config.meta_period.value_or(phase.period);
      phase.repeats = config.meta_repeats.value_or(phase.repeats);
    } else if (config.learning_rate) {
      for (auto& trained : phase.trains) trained.optimizer.learning_rate = *config.learning_rate;
    }
    if (!phase.on_meta_set && phase.batch != 0 && phase.batch != config.batch) {
      throw_error<Error>(
          "method {}: phase {} asks for a batch of {}; only phases on the meta set "
          "may have a batch size of their own",
          config.method, phase.name, phase.batch);
    }
  }
}

// "4 or 6": batches near `batch` that are multiples of `part`.
std::string multiples_near(std::int64_t batch, std::int64_t part) {
  const std::int64_t below = batch / part * part;
  return below > 0 ? fmt::format("{} or {}", below, below + part) : fmt::format("{}", part);
}

void check_joint(const methods::Phase& phase, const RunConfig& config, int trainers) {
  if (!phase.joint || phase.on_meta_set) return;
  if (config.batch % trainers != 0) {
    throw_error<ConfigError>(
        "train.batch is {} on {} training ranks, but the loss of phase {} looks at the whole "
        "batch: "
        "each rank needs as many samples. Set train.batch to {}, or take another number of ranks.",
        config.batch, trainers, phase.name, multiples_near(config.batch, trainers));
  }
  const std::int64_t each = config.batch / trainers;
  if (config.micro_batch > 0 && config.micro_batch < each && each % config.micro_batch != 0) {
    throw_error<ConfigError>(
        "train.micro_batch is {} of the {} samples of each rank, but the loss of phase {} looks at "
        "what is computed at once: the parts must be equal. Set train.micro_batch to a divisor of "
        "{}, or to 0.",
        config.micro_batch, each, phase.name, each);
  }
}

}  // namespace

RunPlan::RunPlan(const methods::Method& method, const RunConfig& config, int trainers)
    : stages_(method.stages(config.steps)), steps_(config.steps) {
  std::int64_t start = 0;
  for (methods::Stage& stage : stages_) {
    apply_overrides(stage, config);
    for (const methods::Phase& phase : stage.phases) check_joint(phase, config, trainers);
    starts_.push_back(start);
    start += stage.steps;
  }
  if (start != steps_) {
    throw_error<Error>("method {}: its stages have {} steps, the run {}", config.method, start,
                       steps_);
  }
}

bool RunPlan::any_joint() const {
  for (const methods::Stage& stage : stages_) {
    for (const methods::Phase& phase : stage.phases) {
      if (phase.joint) return true;
    }
  }
  return false;
}

void RunPlan::announce_joint(const RunConfig& config, int trainers) const {
  const std::int64_t at_once = config.micro_batch * trainers;
  if (!any_joint() || at_once == 0 || at_once >= config.batch) return;
  log::info(
      "losses that look at the whole batch see the {} of its {} samples that are computed at once "
      "(train.micro_batch)",
      at_once, config.batch);
}

int RunPlan::stage_at(std::int64_t step) const {
  // A stage may be empty in a short run: the last one that has begun and holds the step.
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    if (step < starts_[i] + stages_[i].steps) return static_cast<int>(i);
  }
  return static_cast<int>(stages_.size()) - 1;
}

const methods::Phase& RunPlan::phase(int stage, const std::string& name) const {
  const auto& phases = stages_[static_cast<std::size_t>(stage)].phases;
  const auto found = std::find_if(phases.begin(), phases.end(),
                                  [&](const auto& each) { return each.name == name; });
  if (found == phases.end()) {
    throw_error<Error>("stage {} of the run has no phase {}", stage, name);
  }
  return *found;
}

int RunPlan::phase_number(int stage, const methods::Phase& phase) const {
  const auto& first = stages_[static_cast<std::size_t>(stage)].phases.front();
  return static_cast<int>(&this->phase(stage, phase.name) - &first) + 1;
}

std::int64_t RunPlan::batches_per_step(int stage) const {
  std::int64_t most = 1;
  for (const auto& phase : stages_[static_cast<std::size_t>(stage)].phases) {
    if (!phase.on_meta_set) most = std::max(most, phase.repeats);
  }
  return most;
}

std::int64_t RunPlan::meta_batch(int stage, const methods::Phase& phase, std::int64_t step) const {
  std::int64_t batches = 0;
  for (int earlier = 0; earlier < stage; ++earlier) {
    const auto& done = stages_[static_cast<std::size_t>(earlier)];
    for (const auto& each : done.phases) {
      if (!each.on_meta_set) continue;
      const std::int64_t begin = start_of(earlier);
      batches += runs_between(begin, begin + done.steps, each.period) * each.repeats;
    }
  }
  return batches + runs_between(start_of(stage), step, phase.period) * phase.repeats;
}

}  // namespace lacuna::worker
