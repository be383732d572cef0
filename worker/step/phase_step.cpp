#include "worker/step/phase_step.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include <ATen/autocast_mode.h>
#include <torch/types.h>

#include "comm/gradient_reducer.h"
#include "worker/state/schedule.h"
#include "worker/step/over_ranks.h"

namespace lacuna::worker {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// bf16 autocast on a device while it lives; casts of weights are dropped at the end, since the
// update makes them stale.
class AutocastGuard {
 public:
  AutocastGuard(bool on, at::DeviceType device)
      : device_(device),
        was_on_(at::autocast::is_autocast_enabled(device)),
        type_(at::autocast::get_autocast_dtype(device)) {
    at::autocast::set_autocast_enabled(device_, on);
    if (on) at::autocast::set_autocast_dtype(device_, at::kBFloat16);
  }
  ~AutocastGuard() {
    at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device_, was_on_);
    at::autocast::set_autocast_dtype(device_, type_);
  }
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;

 private:
  at::DeviceType device_;
  bool was_on_;
  at::ScalarType type_;
};

std::int64_t chunk_size(std::int64_t samples, const PhaseSettings& settings) {
  const std::int64_t whole = std::max<std::int64_t>(1, samples);
  return settings.micro_batch > 0 ? std::min(settings.micro_batch, whole) : whole;
}

template <typename T>
std::vector<T> part_of(const std::vector<T>& all, std::int64_t begin, std::int64_t count) {
  if (all.empty()) return {};
  return {all.begin() + begin, all.begin() + begin + count};
}

methods::Batch slice(const methods::Batch& batch, std::int64_t begin, std::int64_t count) {
  methods::Batch part;
  part.image = batch.image.narrow(0, begin, count);
  part.label = batch.label.narrow(0, begin, count);
  for (const auto& draw : batch.subsets) part.subsets.push_back(part_of(draw, begin, count));
  part.available = part_of(batch.available, begin, count);
  part.sample_index = part_of(batch.sample_index, begin, count);
  part.origin = part_of(batch.origin, begin, count);
  for (const auto& [name, extra] : batch.extras) part.extras[name] = extra.narrow(0, begin, count);
  part.whole = batch.whole;
  part.over_ranks = batch.over_ranks;
  return part;
}

void add_parts(PhaseOutcome& outcome, const methods::Loss& loss, double share) {
  outcome.parts.resize(std::max(outcome.parts.size(), loss.parts.size()));
  for (std::size_t i = 0; i < loss.parts.size(); ++i) {
    outcome.parts[i].first = loss.parts[i].first;
    outcome.parts[i].second += share * loss.parts[i].second.item<double>();
  }
}

// Forward and backward over the micro-batches of this process; before_last is called before the
// last backward pass. At a loss that is not finite gradients end, and so does the rest unless other
// ranks wait for the sums of the losses to come.
template <typename BeforeLast>
void accumulate(methods::Method& method, const methods::Phase& phase, const methods::Batch& batch,
                const methods::Progress& progress, const PhaseSettings& settings,
                std::int64_t whole_batch, PhaseOutcome& outcome, const BeforeLast& before_last) {
  const std::int64_t samples = batch.image.size(0), chunk = chunk_size(samples, settings);
  for (std::int64_t begin = 0; begin < samples; begin += chunk) {
    const std::int64_t count = std::min(chunk, samples - begin);
    const double share = static_cast<double>(count) / static_cast<double>(whole_batch);
    if (settings.between) (*settings.between)();
    methods::Loss loss;
    {
      const at::AutoGradMode gradients(outcome.finite);
      const AutocastGuard autocast(settings.bf16, batch.image.device().type());
      loss =
          method.loss(phase.name, count == samples ? batch : slice(batch, begin, count), progress);
    }
    outcome.loss += share * loss.total.item<double>();
    add_parts(outcome, loss, share);
    outcome.finite = std::isfinite(outcome.loss);
    if (!outcome.finite && !batch.over_ranks) return;
    if (!outcome.finite) continue;
    if (begin + count == samples) before_last();
    (share == 1 ? loss.total : loss.total * share).backward();
  }
}

// A parameter that no rank had a gradient for has none, as in one process; the optimiser may care.
void drop_untouched(const methods::Phase& phase, TrainingState& state, const SharedPhase& shared) {
  const bool cares = std::any_of(phase.trains.begin(), phase.trains.end(), [](const auto& trained) {
    return !trained.optimizer.defined_zero;
  });
  if (!cares) return;
  const std::vector<bool> mine = shared.reducer.touched();
  std::vector<std::int64_t> touched(mine.begin(), mine.end());
  shared.ranks.wait(*shared.ranks.trainer_ranks().maximum(touched), "the list of gradients");
  const NamedTensors parameters = state.trained_by(phase);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    at::Tensor parameter = parameters[i].second;
    if (touched[i] == 0) parameter.mutable_grad() = at::Tensor();
  }
}

// The same over trainers: the small sum leaves before the last backward pass, gradients during it.
void accumulate_shared(methods::Method& method, const methods::Phase& phase, TrainingState& state,
                       const methods::Batch& batch, const methods::Progress& progress,
                       const PhaseSettings& settings, const SharedPhase& shared,
                       PhaseOutcome& outcome) {
  const std::int64_t samples = batch.image.size(0), chunk = chunk_size(samples, settings);
  shared.reducer.begin(static_cast<int>(std::max<std::int64_t>(1, (samples + chunk - 1) / chunk)),
                       settings.between);
  bool started = false;
  const auto start_sum = [&] {
    shared.agreement.start(outcome);
    started = true;
  };
  methods::Batch mine = batch;
  mine.whole = shared.batch;
  // All ranks have equally many samples then: the plan has seen to it.
  if (phase.joint) mine.over_ranks = sum_over_ranks(shared.ranks, 1.0 / shared.ranks.trainers());
  accumulate(method, phase, mine, progress, settings, shared.batch, outcome, start_sum);
  if (!started) start_sum();
  const RankGroup::Waiting waiting(shared.ranks);
  const double waited = shared.reducer.wait_seconds();
  shared.ranks.require(shared.reducer.finish(), "the sum of gradients");
  outcome.reduce_seconds = shared.reducer.wait_seconds() - waited;
  shared.agreement.finish(outcome);
  if (outcome.finite) drop_untouched(phase, state, shared);
}

}  // namespace

PhaseOutcome run_phase(methods::Method& method, TrainingState& state, const methods::Phase& phase,
                       const methods::Batch& batch, const methods::Progress& progress,
                       const PhaseSettings& settings, const SharedPhase* shared) {
  PhaseOutcome outcome;
  auto start = Clock::now();
  state.enter_phase(phase);
  state.clear_gradients();
  if (shared) {
    accumulate_shared(method, phase, state, batch, progress, settings, *shared, outcome);
  } else {
    std::optional<comm::GradientHooks> hooks;
    if (settings.between) hooks.emplace(state.trained_by(phase), *settings.between);
    methods::Batch whole = batch;
    whole.whole = batch.image.size(0);
    accumulate(method, phase, whole, progress, settings, whole.whole, outcome, [] {});
  }
  outcome.forward_backward_seconds = seconds_since(start);

  start = Clock::now();
  for (const auto& trained : phase.trains) {
    if (!outcome.finite) break;
    const double norm = state.optimizer(trained).clip();
    outcome.gradient_norms[trained.group] = norm;
    outcome.finite = std::isfinite(norm);
  }
  for (const auto& trained : phase.trains) {
    const bool given = settings.learning_rate && *settings.learning_rate;
    const double rate = given ? (*settings.learning_rate)(progress.step)
                              : trained.optimizer.learning_rate *
                                    schedule_factor(trained.schedule, progress.stage_step,
                                                    progress.steps_per_epoch);
    outcome.learning_rates[trained.group] = rate;
    if (outcome.finite) state.optimizer(trained).step(rate);
  }
  state.clear_gradients();
  outcome.optimizer_seconds = seconds_since(start);
  return outcome;
}

}  // namespace lacuna::worker
