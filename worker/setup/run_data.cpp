#include "worker/setup/run_data.h"

#include "base/error.h"
#include "base/text/log.h"

namespace lacuna::worker {
namespace {

data::ShardPlan make_plan(const RunConfig& config, const data::Cohort& cohort, int ranks) {
  const std::vector<int> cases = cohort.part(config.split, "train");
  if (cases.empty()) {
    throw_error<ConfigError>(
        "{}: part train of split {} has no cases. Choose another data.split or "
        "ingest with more cases.",
        cohort.directory.string(), config.split);
  }
  if (config.shard != "local") return plan_global(cohort, cases, ranks);
  return plan_local(cohort, cases, ranks, config.shard_by == "institution");
}

}  // namespace

RunData::RunData(const RunConfig& config, const data::Cohort& cohort, RankGroup& ranks,
                 RunFiles& files)
    : cohort_(cohort) {
  data::ShardPlan plan;
  if (ranks.writes()) {
    plan = make_plan(config, cohort, ranks.trainers());
    if (plan.local || ranks.size() > 1) log::info("{}", summary(plan));
  }
  const Json shared =
      ranks.share(ranks.writes() ? to_json(plan, cohort) : Json(), "the shard plan");
  files.store_shard_plan(shared);
  if (!ranks.trains()) return;
  if (!ranks.writes()) plan = data::shard_plan_from_json(shared, cohort);
  local_ = plan.local;
  cases_ = plan.shards[static_cast<std::size_t>(ranks.rank())].cases;
  if (!local_ || config.stage.empty()) return;
  staged_ = std::make_unique<data::StagedCases>(cohort, cases_, config.stage);
  log::info("staged {} cases to {}: {:.1f} MB copied and verified", cases_.size(), config.stage,
            static_cast<double>(staged_->copied_bytes()) / 1e6);
}

}  // namespace lacuna::worker
