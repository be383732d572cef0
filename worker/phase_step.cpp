#include "worker/phase_step.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <ATen/autocast_mode.h>
#include <torch/types.h>

#include "worker/schedule.h"

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
  part.sample_index = part_of(batch.sample_index, begin, count);
  part.origin = part_of(batch.origin, begin, count);
  for (const auto& [name, extra] : batch.extras) part.extras[name] = extra.narrow(0, begin, count);
  return part;
}

void add_parts(PhaseOutcome& outcome, const methods::Loss& loss, double share) {
  outcome.parts.resize(std::max(outcome.parts.size(), loss.parts.size()));
  for (std::size_t i = 0; i < loss.parts.size(); ++i) {
    outcome.parts[i].first = loss.parts[i].first;
    outcome.parts[i].second += share * loss.parts[i].second.item<double>();
  }
}

// Leaves gradients in the parameters; false as soon as a loss is not finite.
bool accumulate(methods::Method& method, const methods::Phase& phase, const methods::Batch& batch,
                const methods::Progress& progress, const PhaseSettings& settings,
                PhaseOutcome& outcome) {
  const std::int64_t samples = batch.image.size(0);
  const std::int64_t chunk =
      settings.micro_batch > 0 ? std::min(settings.micro_batch, samples) : samples;
  for (std::int64_t begin = 0; begin < samples; begin += chunk) {
    const std::int64_t count = std::min(chunk, samples - begin);
    const double share = static_cast<double>(count) / static_cast<double>(samples);
    methods::Loss loss;
    {
      const AutocastGuard autocast(settings.bf16, batch.image.device().type());
      loss =
          method.loss(phase.name, count == samples ? batch : slice(batch, begin, count), progress);
    }
    outcome.loss += share * loss.total.item<double>();
    add_parts(outcome, loss, share);
    if (!std::isfinite(outcome.loss)) return false;
    (share == 1 ? loss.total : loss.total * share).backward();
  }
  return true;
}

}  // namespace

PhaseOutcome run_phase(methods::Method& method, TrainingState& state, const methods::Phase& phase,
                       const methods::Batch& batch, const methods::Progress& progress,
                       const PhaseSettings& settings) {
  PhaseOutcome outcome;
  auto start = Clock::now();
  state.enter_phase(phase);
  state.clear_gradients();
  outcome.finite = accumulate(method, phase, batch, progress, settings, outcome);
  outcome.forward_backward_seconds = seconds_since(start);

  start = Clock::now();
  for (const auto& trained : phase.trains) {
    if (!outcome.finite) break;
    const double norm = state.optimizer(trained).clip();
    outcome.gradient_norms[trained.group] = norm;
    outcome.finite = std::isfinite(norm);
  }
  for (const auto& trained : phase.trains) {
    const double rate =
        trained.optimizer.learning_rate * schedule_factor(trained.schedule, progress.stage_step);
    outcome.learning_rates[trained.group] = rate;
    if (outcome.finite) state.optimizer(trained).step(rate);
  }
  state.clear_gradients();
  outcome.optimizer_seconds = seconds_since(start);
  return outcome;
}

}  // namespace lacuna::worker
