// MCKD: the phase on the meta set moves the importance weights and nothing else.
#include <algorithm>
#include <map>
#include <string>

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "methods/registry.h"
#include "worker/step/phase_step.h"

namespace lacuna::worker {
namespace {

std::map<std::string, at::Tensor> copies(const NamedTensors& tensors) {
  std::map<std::string, at::Tensor> made;
  for (const auto& [name, tensor] : tensors) made[name] = tensor.detach().clone();
  return made;
}

TEST(MetaPhase, TwentyRepeatsLeaveTheNetworkAndItsMomentumBitEqual) {
  const data::ModalitySet modalities({"FLAIR", "T1", "T1c", "T2"});
  torch::manual_seed(3);
  const auto method = methods::make_method("mckd", modalities, 0.0625, Json::object());
  method->initialise();
  method->module().train();
  TrainingState state(*method, 0);

  methods::Batch batch;
  batch.image = torch::randn({1, 4, 32, 32, 64});
  batch.label = torch::randint(0, 4, {1, 32, 32, 64}, at::kByte);
  batch.subsets = {{modalities.subsets().back()}};
  batch.sample_index = {0};
  batch.origin.resize(1);

  const methods::Stage stage = method->stages(1000).back();
  const auto meta = std::find_if(stage.phases.begin(), stage.phases.end(),
                                 [](const methods::Phase& phase) { return phase.on_meta_set; });
  ASSERT_NE(meta, stage.phases.end());
  ASSERT_EQ(meta->repeats, 20);
  state.enter_stage(stage, /*fresh=*/true);
  ASSERT_TRUE(run_phase(*method, state, stage.phases.front(), batch, {}, {}).finite);

  const auto weights = copies(state.model()), moments = copies(state.optimizers());
  for (methods::Progress at; at.repeat < meta->repeats; ++at.repeat) {
    ASSERT_TRUE(run_phase(*method, state, *meta, batch, at, {}).finite) << at.repeat;
  }
  const std::string& group = meta->trains.front().group;
  const auto now = copies(state.model());
  int kept = 0;
  for (const auto& each : method->groups()) {
    if (each.name == group) {
      for (const std::string& name : each.parameters) {
        EXPECT_FALSE(at::equal(now.at(name), weights.at(name))) << name;
      }
      continue;
    }
    for (const std::string& name : each.parameters) {
      EXPECT_TRUE(at::equal(now.at(name), weights.at(name))) << name;
      ++kept;
    }
  }
  EXPECT_GT(kept, 200);
  int momenta = 0;
  for (const auto& [name, moment] : state.optimizers()) {
    if (name.starts_with(group + ":")) continue;
    EXPECT_TRUE(at::equal(moment, moments.at(name))) << name;
    ++momenta;
  }
  EXPECT_GT(momenta, 200);
}

}  // namespace
}  // namespace lacuna::worker
