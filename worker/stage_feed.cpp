#include "worker/stage_feed.h"

#include <torch/types.h>

#include "base/error.h"

namespace lacuna::worker {
namespace {

methods::Batch to_device(data::HostBatch& host, at::Device device, at::MemoryFormat layout) {
  const std::int64_t samples = host.samples;
  const auto [depth, height, width] = host.patch;
  methods::Batch batch;
  // On the CPU the tensors are views of the loader's buffers: no copy.
  batch.image = at::from_blob(host.image.data(), {samples, host.modalities, depth, height, width},
                              at::TensorOptions().dtype(at::kFloat))
                    .to(device)
                    .contiguous(layout);
  batch.label = at::from_blob(host.label.data(), {samples, depth, height, width},
                              at::TensorOptions().dtype(at::kByte))
                    .to(device);
  batch.subsets = host.subsets;
  batch.sample_index = host.sample_index;
  batch.origin = host.origin;
  return batch;
}

std::vector<int> cases_of(const data::Cohort& cohort, const RunConfig& config, const char* part) {
  std::vector<int> cases = cohort.part(config.split, part);
  if (cases.empty()) {
    throw_error<ConfigError>(
        "{}: part {} of split {} has no cases. Choose another data.split or "
        "ingest with more cases.",
        cohort.directory.string(), part, config.split);
  }
  return cases;
}

}  // namespace

data::DataRecipe run_recipe(const methods::Method& method, const RunConfig& config) {
  data::DataRecipe recipe = method.recipe();
  if (config.patch) recipe.patch = *config.patch;
  if (config.augment == "none") {
    recipe.augmentation = {};
    recipe.crop.scale_probability = 0;
  }
  return recipe;
}

StageFeed::StageFeed(const data::Cohort& cohort, const data::DataRecipe& recipe,
                     const RunConfig& config, const RunPlan& plan, std::int64_t first_step,
                     at::Device device, at::MemoryFormat layout)
    : device_(device), layout_(layout) {
  const int stage_index = plan.stage_at(first_step);
  const methods::Stage& stage = plan.stages()[static_cast<std::size_t>(stage_index)];
  batches_per_step_ = plan.batches_per_step(stage_index);

  data::LoaderOptions options;
  options.recipe = recipe;
  options.subsets = stage.subsets;
  options.seed = config.seed;
  options.steps = config.steps;
  options.threads = config.loader_threads;
  options.cases = cases_of(cohort, config, "train");
  options.batch = config.batch;
  options.step_stride = batches_per_step_;
  options.first_batch = first_step * batches_per_step_;
  training_ = std::make_unique<data::Loader>(cohort, options);

  for (const methods::Phase& phase : stage.phases) {
    if (!phase.on_meta_set) continue;
    data::LoaderOptions meta = options;
    meta.cases = cases_of(cohort, config, "meta");
    meta.order = Purpose::kMetaOrder;
    meta.batch = phase.batch > 0 ? phase.batch : config.batch;
    meta.first_batch = plan.meta_batch(stage_index, phase, first_step);
    meta.step_offset = plan.start_of(stage_index);
    meta.step_stride = phase.repeats;
    meta.threads = 1;
    meta_[phase.name] = std::make_unique<data::Loader>(cohort, meta);
  }
}

StageFeed::Held StageFeed::fetch(data::Loader& loader) {
  Held held{&loader, loader.next(), {}};
  held.batch = to_device(*held.host, device_, layout_);
  return held;
}

const methods::Batch& StageFeed::training(std::int64_t repeat) {
  while (static_cast<std::int64_t>(training_batches_.size()) <= repeat) {
    training_batches_.push_back(std::make_unique<Held>(fetch(*training_)));
  }
  return training_batches_[static_cast<std::size_t>(repeat)]->batch;
}

const methods::Batch& StageFeed::meta(const methods::Phase& phase) {
  meta_batches_.push_back(std::make_unique<Held>(fetch(*meta_.at(phase.name))));
  return meta_batches_.back()->batch;
}

void StageFeed::end_step() {
  // A phase that was not due leaves batches of the step unread: they are passed over.
  if (batches_per_step_ > 1) training(batches_per_step_ - 1);
  for (auto* held_batches : {&training_batches_, &meta_batches_}) {
    for (auto& held : *held_batches) {
      held->batch = {};
      held->loader->recycle(std::move(held->host));
    }
    held_batches->clear();
  }
}

double StageFeed::wait_seconds() const {
  double total = training_->wait_seconds();
  for (const auto& [name, loader] : meta_) total += loader->wait_seconds();
  return total;
}

std::int64_t StageFeed::skipped_cases() const {
  std::int64_t total = training_->skipped_cases();
  for (const auto& [name, loader] : meta_) total += loader->skipped_cases();
  return total;
}

}  // namespace lacuna::worker
