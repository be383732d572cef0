#include "worker/validation/meta_worker.h"

#include <functional>

#include "worker/setup/device_batch.h"
#include "worker/state/tensor_pack.h"

namespace lacuna::worker {

MetaWorker::MetaWorker(const RunConfig& config, const data::Cohort& cohort, const RunPlan& plan,
                       methods::Method& method, TrainingState& state, const Placement& placement,
                       RankGroup& ranks)
    : config_(config),
      cohort_(cohort),
      plan_(plan),
      method_(method),
      state_(state),
      placement_(placement),
      ranks_(ranks) {}

std::vector<int> MetaWorker::meta_cases() const {
  std::vector<int> cases = cohort_.part(config_.split, "meta");
  if (!cases.empty()) return cases;
  throw_error<ConfigError>(
      "{}: part meta of split {} has no cases. Choose another data.split or "
      "ingest with more cases.",
      cohort_.directory.string(), config_.split);
}

MetaWorker::Feed& MetaWorker::feed_at(const methods::Phase& phase, int stage, std::int64_t batch) {
  if (stage != stage_) feeds_.clear();
  stage_ = stage;
  Feed& feed = feeds_[phase.name];
  if (feed.loader && feed.next == batch) return feed;
  data::LoaderOptions options = loader_options(run_recipe(method_, config_), config_);
  options.cases = meta_cases();
  options.subsets = plan_.stages()[static_cast<std::size_t>(stage)].subsets;
  options.order = Purpose::kMetaOrder;
  if (phase.batch > 0) options.batch = phase.batch;
  options.first_batch = feed.next = batch;
  options.step_offset = plan_.start_of(stage);
  options.step_stride = phase.repeats;
  feed.loader = std::make_unique<data::Loader>(cohort_, options);
  return feed;
}

PhaseOutcome MetaWorker::run(const methods::Phase& phase, methods::Progress at) {
  Feed& feed = feed_at(phase, at.stage, plan_.meta_batch(at.stage, phase, at.step));
  seed_generators(config_.seed, at.step, 0, plan_.phase_number(at.stage, phase));
  const std::function<void()> alive = [this] { ranks_.beat(); };
  const PhaseSettings settings{config_.micro_batch, config_.precision == "bf16", &alive};
  // Running statistics follow training cases only.
  const NamedTensors buffers = state_.buffers();
  TensorPack kept(buffers);
  kept.take(buffers);
  PhaseOutcome outcome;
  for (at.repeat = 0; at.repeat < phase.repeats; ++at.repeat) {
    ranks_.enter(at.step, Activity::kMeta);
    const DeviceBatch batch(*feed.loader, placement_);
    ++feed.next;
    outcome.follow(run_phase(method_, state_, phase, batch.batch(), at, settings));
  }
  method_.end_phase(phase.name, at);
  kept.put(buffers);
  return outcome;
}

std::int64_t MetaWorker::skipped_cases() const {
  std::int64_t total = 0;
  for (const auto& [name, feed] : feeds_) total += feed.loader->skipped_cases();
  return total;
}

}  // namespace lacuna::worker
