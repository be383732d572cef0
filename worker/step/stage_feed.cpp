#include "worker/step/stage_feed.h"

namespace lacuna::worker {

StageFeed::StageFeed(const RunData& data, const data::DataRecipe& recipe, const RunConfig& config,
                     const RunPlan& plan, std::int64_t first_step, const Placement& placement,
                     const RankGroup& ranks, const data::LoaderFigures& figures)
    : placement_(placement) {
  const int stage = plan.stage_at(first_step);
  batches_per_step_ = plan.batches_per_step(stage);
  data::LoaderOptions options = loader_options(recipe, config);
  options.cases = data.cases();
  options.own_cases = data.own_cases();
  options.staged = data.staged();
  options.subsets = plan.stages()[static_cast<std::size_t>(stage)].subsets;
  options.threads = config.loader_threads;
  options.step_stride = batches_per_step_;
  options.first_batch = first_step * batches_per_step_;
  options.rank = ranks.rank();
  options.ranks = ranks.trainers();
  options.figures = figures;
  loader_ = std::make_unique<data::Loader>(data.cohort(), options);
}

const methods::Batch& StageFeed::training(std::int64_t repeat) {
  while (std::ssize(batches_) <= repeat) {
    batches_.push_back(std::make_unique<DeviceBatch>(*loader_, placement_));
  }
  return batches_[static_cast<std::size_t>(repeat)]->batch();
}

void StageFeed::end_step() {
  // A phase that was not due leaves batches of the step unread: they are passed over.
  if (batches_per_step_ > 1) training(batches_per_step_ - 1);
  batches_.clear();
}

double StageFeed::wait_seconds() const { return loader_->wait_seconds(); }

std::int64_t StageFeed::skipped_cases() const { return loader_->skipped_cases(); }

}  // namespace lacuna::worker
