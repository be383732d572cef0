#include "worker/run_setup.h"

#include "base/log.h"
#include "methods/registry.h"
#include "worker/device_batch.h"
#include "worker/device_setup.h"
#include "worker/patch_check.h"

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

std::unique_ptr<methods::Method> make_run_method(const RunConfig& config,
                                                 const data::Cohort& cohort,
                                                 const TrainingHooks& hooks) {
  seed_generators(config.seed, -1, 0);
  auto method = hooks.make_method ? hooks.make_method(cohort)
                                  : methods::make_method(config.method, cohort.modalities,
                                                         config.width, config.method_options);
  method->initialise();
  check_patch(*method, run_recipe(*method, config).patch, "run");
  return method;
}

Json describe(const data::Cohort& cohort, const RunConfig& config) {
  return {{"fingerprint", cohort.fingerprint},
          {"modalities", cohort.modalities.names()},
          {"profile", cohort.profile},
          {"split", config.split},
          {"cases", cohort.cases.size()}};
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
