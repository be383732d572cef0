// lacuna bench step: a training step of a method as the trainer does it, on random images.

#include <ATen/ATen.h>
#include <torch/utils.h>

#include "app/bench/bench.h"
#include "app/bench/random_batch.h"
#include "base/error.h"
#include "methods/registry.h"
#include "methods/shared/extent_check.h"
#include "worker/setup/device_setup.h"
#include "worker/state/training_state.h"
#include "worker/step/phase_step.h"

namespace lacuna::app {
namespace {

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

Json bench_method(const std::string& name, const BenchOptions& options) {
  const std::int64_t before = resident_bytes();
  worker::RunConfig config;
  config.method = name;
  config.threads = bench_threads(options);
  config.layout = options.layout;
  const worker::Placement placement = worker::set_up_device(config);

  const data::ModalitySet modalities{{"FLAIR", "T1", "T1c", "T2"}};
  const auto method =
      methods::make_method(name, modalities, options.width, Json::object(), options.patch);
  methods::require_extent(options.patch, method->extent_multiple(), "--patch");
  torch::manual_seed(1);
  method->initialise();
  worker::place(*method, placement);
  const methods::Batch batch = random_batch(modalities, options, placement);

  // The last stage of a run: what most steps are. Its first phase takes the training batch.
  methods::Progress progress;
  progress.steps = 1000;
  const std::vector<methods::Stage> stages = method->stages(progress.steps);
  progress.stage = static_cast<int>(stages.size()) - 1;
  const methods::Stage& stage = stages.back();
  worker::TrainingState state(*method, /*ema_decay=*/0);
  state.enter_stage(stage, /*fresh=*/true);

  std::vector<double> forward_backward, optimizer;
  double loss = 0;
  const Timing timing = measure(options, [&] {
    const worker::PhaseOutcome outcome =
        worker::run_phase(*method, state, stage.phases.front(), batch, progress, {});
    if (!outcome.finite) throw_error<Error>("{}: the loss of the bench is not finite", name);
    forward_backward.push_back(outcome.forward_backward_seconds);
    optimizer.push_back(outcome.optimizer_seconds);
    loss = outcome.loss;
  });
  const auto measured = [&](std::vector<double>& all) {
    return median({all.begin() + options.warm_up, all.end()});
  };

  std::int64_t parameters = 0;
  for (const at::Tensor& parameter : method->module().parameters()) parameters += parameter.numel();
  Json result = entry(name, timing);
  result["samples_per_second"] = static_cast<double>(options.batch) / timing.median_seconds;
  result["forward_backward_seconds"] = measured(forward_backward);
  result["optimizer_seconds"] = measured(optimizer);
  result["parameters"] = parameters;
  result["loss"] = loss;
  result["peak_bytes"] = peak_resident_bytes();
  result["step_bytes"] = peak_resident_bytes() - before;  // the first method's: peaks never fall
  result["layout"] =
      placement.layout == at::MemoryFormat::ChannelsLast3d ? "channels_last" : "contiguous";
  result["width"] = options.width;
  result["patch"] = options.patch;
  result["batch"] = options.batch;
  return result;
}

}  // namespace

Json run_step(const BenchOptions& options) {
  Json entries = Json::array();
  for (const std::string& name : options.methods) entries.push_back(bench_method(name, options));
  return entries;
}

}  // namespace lacuna::app
