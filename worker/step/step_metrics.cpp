#include "worker/step/step_metrics.h"

#include <algorithm>

#include "worker/setup/device_setup.h"

namespace lacuna::worker {

void StepMetrics::begin_step() {
  finite_ = true;
  loss_ = learning_rate_ = 0;
  losses_ = rates_ = norms_ = Json::object();
}

void StepMetrics::add(const methods::Phase& phase, const PhaseOutcome& outcome, bool first) {
  finite_ = finite_ && outcome.finite;
  if (first) {
    loss_ = outcome.loss;
    if (!phase.trains.empty()) {
      learning_rate_ = outcome.learning_rates.at(phase.trains.front().group);
    }
  }
  // Parts of later phases carry the phase's name; of repeats the last one counts.
  const std::string prefix = first ? "" : phase.name + "/";
  if (!first) losses_[prefix + "loss"] = outcome.loss;
  for (const auto& [name, value] : outcome.parts) losses_[prefix + name] = value;
  for (const auto& [group, rate] : outcome.learning_rates) rates_[group] = rate;
  for (const auto& [group, norm] : outcome.gradient_norms) norms_[group] = norm;
  if (phase.on_meta_set) {
    meta_ += outcome.forward_backward_seconds + outcome.optimizer_seconds;
  } else {
    forward_backward_ += outcome.forward_backward_seconds - outcome.reduce_seconds;
    reduce_ += outcome.reduce_seconds;
    optimizer_ += outcome.optimizer_seconds;
  }
}

void StepMetrics::end_step(std::int64_t samples, double step_seconds, double data_wait_seconds) {
  ++window_steps_;
  window_samples_ += samples;
  step_seconds_ += step_seconds;
  data_wait_ += data_wait_seconds;
}

double StepMetrics::samples_per_second() const {
  return step_seconds_ > 0 ? static_cast<double>(window_samples_) / step_seconds_ : 0;
}

Json StepMetrics::take_line(std::int64_t step, const methods::Stage& stage,
                            methods::Method& method) {
  const double steps = static_cast<double>(std::max<std::int64_t>(window_steps_, 1));
  Json line = {{"step", step},
               {"stage", stage.name},
               {"loss", loss_},
               {"losses", losses_},
               {"lr", learning_rate_},
               {"learning_rates", rates_},
               {"gradient_norms", norms_},
               {"samples_per_second", samples_per_second()},
               {"seconds",
                {{"step", step_seconds_ / steps},
                 {"data_wait", data_wait_ / steps},
                 {"forward_backward", forward_backward_ / steps},
                 {"reduce", reduce_ / steps},
                 {"optimizer", optimizer_ / steps},
                 {"meta", meta_ / steps}}},
               {"peak_memory_bytes", peak_memory_bytes()}};
  Json diagnostics = Json::object();
  for (const auto& [name, value] : method.diagnostics()) diagnostics[name] = value;
  if (!diagnostics.empty()) line["diagnostics"] = diagnostics;
  window_steps_ = window_samples_ = 0;
  step_seconds_ = data_wait_ = forward_backward_ = reduce_ = optimizer_ = meta_ = 0;
  return line;
}

}  // namespace lacuna::worker
