#include "worker/setup/run_setup.h"

#include <set>

#include "base/text/log.h"
#include "methods/registry.h"
#include "worker/run/patch_check.h"
#include "worker/setup/device_batch.h"
#include "worker/setup/device_setup.h"

namespace lacuna::worker {

std::unique_ptr<RunFiles> open_run_files(const RunConfig& config,
                                         const std::filesystem::path& directory, RankGroup& ranks,
                                         const TrainingHooks& hooks) {
  const auto open = [&] {
    return std::make_unique<RunFiles>(config, directory, ranks.rank(), hooks.publish);
  };
  if (ranks.rank() > 0) log::set_rank(ranks.rank());
  std::unique_ptr<RunFiles> files;
  if (ranks.writes()) files = open();
  ranks.share(true, "the start of rank 0");
  if (!files) files = open();
  ranks.expect_same(config.hash, "configuration (hash)");
  return files;
}

namespace {

// The first cases of the training part are all that is trained and validated on.
void keep_few(data::Cohort& cohort, const RunConfig& config) {
  auto& parts = cohort.splits.at(config.split);
  std::vector<std::string>& train = parts.at("train");
  if (std::ssize(train) < config.overfit) {
    throw_error<ConfigError>("train.overfit is {}, but split {} has {} training cases",
                             config.overfit, config.split, train.size());
  }
  train.resize(static_cast<std::size_t>(config.overfit));
  parts["validation"] = train;
  log::info("train.overfit: training and validation on {} cases, {} ...", config.overfit,
            train.front());
}

}  // namespace

data::Cohort open_training_cohort(const RunConfig& config) {
  data::Cohort cohort = data::open_cohort(config.cache);
  if (config.overfit > 0 && cohort.has_part(config.split, "train")) keep_few(cohort, config);
  const auto masks = cohort.split_available.find(config.split);
  if (masks == cohort.split_available.end()) return cohort;
  int restricted = 0;
  for (const char* part : {"train", "meta"}) {
    if (!cohort.has_part(config.split, part)) continue;
    for (const int index : cohort.part(config.split, part)) {
      data::CaseInfo& info = cohort.cases[static_cast<std::size_t>(index)];
      const auto mask = masks->second.find(info.id);
      if (mask == masks->second.end() || (info.available & ~mask->second) == 0) continue;
      info.available &= mask->second;
      ++restricted;
    }
  }
  log::info("split {} leaves {} training cases fewer modalities than they have", config.split,
            restricted);
  return cohort;
}

std::unique_ptr<methods::Method> make_run_method(const RunConfig& config,
                                                 const data::Cohort& cohort,
                                                 const TrainingHooks& hooks) {
  seed_generators(config.seed, -1, 0);
  auto method = hooks.make_method
                    ? hooks.make_method(cohort)
                    : methods::make_method(config.method, cohort.modalities, config.width,
                                           config.method_options, config.patch);
  method->initialise();
  check_patch(*method, run_recipe(*method, config).patch, "run");
  return method;
}

Json describe(const data::Cohort& cohort, const RunConfig& config) {
  Json json = {{"fingerprint", cohort.fingerprint},
               {"modalities", cohort.modalities.names()},
               {"profile", cohort.profile},
               {"split", config.split},
               {"cases", cohort.cases.size()}};
  if (cohort.grid) json["grid"] = data::to_json(*cohort.grid);
  return json;
}

Json describe_start(const RankGroup& ranks, const Placement& placement) {
  Json start = provenance();
  start.erase("started");
  start["ranks"] = ranks.size();
  start["device"] = placement.device.str();
  return start;
}

Json describe_plan(const RunConfig& config, const RunPlan& plan, const RankGroup& ranks,
                   const data::Cohort& cohort, methods::Method& method) {
  Json stages = Json::array();
  std::set<std::string> groups;
  for (const methods::Stage& stage : plan.stages()) {
    stages.push_back({{"name", stage.name}, {"steps", stage.steps}});
    for (const methods::Phase& phase : stage.phases) {
      for (const auto& trained : phase.trains) groups.insert(trained.group);
    }
  }
  std::vector<std::string> diagnostics, regions, subsets;
  for (const auto& [name, value] : method.diagnostics()) diagnostics.push_back(name);
  for (const data::Region& region : cohort.regions) regions.push_back(region.name);
  for (const auto subset : cohort.modalities.subsets()) {
    subsets.push_back(cohort.modalities.format(subset));
  }
  const bool validates = !validation_cases(config, cohort).empty();
  return {{"method", config.method},
          {"hash", config.hash},
          {"steps", plan.steps()},
          {"batch", config.batch},
          {"stages", stages},
          {"ranks", ranks.size()},
          {"trainers", ranks.trainers()},
          {"modalities", cohort.modalities.names()},
          {"groups", groups},
          {"diagnostics", diagnostics},
          {"regions", regions},
          {"subsets", validates ? subsets : std::vector<std::string>()},
          {"validate_every", validates ? config.validate_every : 0},
          {"checkpoint_seconds", config.checkpoint_seconds},
          {"checkpoint_steps", config.checkpoint_steps}};
}

std::vector<int> validation_cases(const RunConfig& config, const data::Cohort& cohort) {
  if (config.validate_every == 0) return {};
  std::vector<int> cases = cohort.part(config.split, "validation");
  if (cases.empty()) {
    log::warn("split {} has no validation cases: the best checkpoint is the newest", config.split);
  }
  if (std::ssize(cases) > config.validate_cases) {
    cases.resize(static_cast<std::size_t>(config.validate_cases));
  }
  return cases;
}

}  // namespace lacuna::worker
