// Runs of the methods that are built in, narrow, through the whole engine: stopped after each of
// their steps and resumed, and on two ranks.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/text/options.h"
#include "methods/exchange/tensor_exchange.h"
#include "methods/registry.h"
#include "tests/worker/ranked_toy.h"
#include "worker/setup/device_setup.h"
#include "worker/step/phase_step.h"

namespace lacuna::worker {
namespace {

namespace fs = std::filesystem;

// The extent is the least that keeps the gradient of a normalised zero image within float.
const fs::path& cache() {
  static const TemporaryDirectory folder;
  static const fs::path made = [] {
    data::PhantomOptions phantom;
    phantom.cases = 5;
    phantom.extent = {32, 64, 64};
    phantom.profile = "brats2023";  // labels are classes 0 to 3 as they lie
    Progress quiet("phantom", "cases", phantom.cases, ProgressStyle::kQuiet);
    data::write_phantom(posix_file_system(), folder / "in", phantom, quiet);
    data::IngestOptions ingest;
    ingest.input = folder / "in";
    ingest.output = folder / "cache";
    // Label maps for methods that take some: the labels themselves, of all cases but the second.
    std::vector<fs::path> labels;
    for (const auto& item : fs::recursive_directory_iterator(folder / "in")) {
      if (item.path().filename().string().ends_with("-seg.nii.gz")) labels.push_back(item.path());
    }
    std::sort(labels.begin(), labels.end());
    fs::create_directories(folder / "maps");
    for (const fs::path& label : labels) {
      const std::string id = label.parent_path().filename().string();
      for (const char* modality : {"FLAIR", "T1", "T1c", "T2"}) {
        if (label == labels.at(1)) continue;
        fs::copy_file(label, folder / "maps" / (id + "_" + modality + ".nii.gz"));
      }
    }
    ingest.label_maps = {{"sam", folder / "maps"}};
    std::vector<std::string> ids;
    for (const auto& info : data::ingest(ingest, posix_file_system()).cohort.cases) {
      ids.push_back(info.id);
    }
    // Three cases to train make an epoch of three steps; a generated fold of five has none for a
    // meta phase.
    const Json split = {{"train", {ids.at(0), ids.at(1), ids.at(2)}},
                        {"validation", {ids.at(3)}},
                        {"meta", {ids.at(4)}}};
    std::ofstream(folder / "splits.json") << Json{{"runs", split}}.dump();
    ingest.splits_file = folder / "splits.json";
    data::ingest(ingest, posix_file_system());
    return ingest.output;
  }();
  return made;
}

struct Example {
  std::string method;
  Json options;
  data::Extent patch;  // in the network's order
  std::int64_t steps;
  std::vector<std::string> parts;  // of the losses, logged in every step
  // Of the run on two ranks; 0 where the loss looks at the whole batch, which two ranks that take
  // one sample each see at once.
  std::int64_t micro_batch = 1;
};

std::ostream& operator<<(std::ostream& out, const Example& example) {
  return out << example.method;
}

const std::vector<Example>& examples() {
  static const std::vector<Example> all = {
      // Two steps with all modalities, two with random subsets: the restart of the learning rate
      // between the stages, the drawn lending modality.
      {"shaspec",
       {{"warm_up_steps", 3}, {"fill", "first"}},
       {32, 64, 64},
       4,
       {"dice", "bce", "shared", "domain"}},
      // Into the second epoch, where the rate and the ramp change; the discriminator's phase.
      {"mst-kdnet",
       Json::object(),
       {32, 64, 32},
       5,
       {"dice_full", "consistency", "attention", "adversarial", "discriminator/missing"}},
      // All modalities in the first step, the meta phase there, random subsets after it.
      {"mckd", Json::object(), {32, 64, 64}, 3, {"dice", "bce", "kd"}},
      // Sizes 1 to 3 of the hierarchy, a path per sample.
      {"ccsd", Json::object(), {32, 64, 64}, 3, {"dice", "bce", "hmsd", "dmcd"}},
      {"unet", {{"levels", 4}}, {32, 32, 32}, 3, {"dice", "bce"}},
      // A loss over the batch, over the end of the warm-up (a 15th of the run).
      {"rfnet",
       {{"warm_up_epochs", 150}},
       {32, 32, 32},
       3,
       {"fuse_dice", "sep_cross", "prm_dice"},
       0},
      // Its dropout, too.
      {"mmformer", Json::object(), {32, 32, 32}, 3, {"fuse_dice", "sep_cross", "prm_dice"}, 0},
      // A teacher that sees all images.
      {"mctseg", Json::object(), {32, 32, 32}, 3, {"fuse_dice", "all_cross", "mod_dice", "l1"}, 0},
      // Two networks and a refinement, which one case has no label maps for; into what starts
      // later.
      {"smml",
       {{"start_epoch", 400}},
       {32, 32, 32},
       3,
       {"model1_fuse_dice", "model2_pixel", "model1_prototype", "model2_sam_cross"},
       0},
      // Over the end of a warm-up; dropout in the transformer and in the fusion of channels.
      {"m2ftrans",
       {{"warm_up_epochs", 400}},
       {32, 32, 32},
       3,
       {"fuse_dice", "sep_cross", "prm_dice"},
       0},
      // An encoder before another method's network, its running averages.
      {"medmap", Json::object(), {32, 32, 32}, 3, {"alignment", "fuse_dice"}, 0},
      // One network for one subset, and one for all; two discriminators in one phase.
      {"smu-net",
       {{"subset", "FLAIR+T1c"}},
       {32, 32, 16},
       4,
       {"dice_missing", "content", "gram", "adversarial", "discriminator/full"}},
      {"acn",
       Json::object(),
       {32, 32, 32},
       4,
       {"dice_missing", "information", "entropy", "feature", "discriminator/entropy"}},
      // The learning rate falls after each step; noise of the sample's own.
      {"u-hemis", Json::object(), {24, 32, 20}, 4, {"cross_entropy", "dice", "decay"}},
      // Thirteen outputs, Dice over the batch.
      {"u-net-mfi",
       Json::object(),
       {16, 24, 16},
       3,
       {"stage1_1", "stage2_4", "out3", "cat_out"},
       0},
      {"u-hved", Json::object(), {24, 32, 20}, 4, {"kl_subsets", "kl_prior", "images"}},
      // A draw per sample; two groups of one phase.
      {"robust-mseg",
       Json::object(),
       {16, 16, 24},
       3,
       {"ce", "dice", "reconstruction_l1_sum", "kl_sum"},
       0},
      // The teacher's stage and the student's; pairs of embeddings over the batch.
      {"pmkl", Json::object(), {16, 16, 24}, 4, {"ce", "dice", "pixel_kd", "contrastive"}, 0},
      // Two steps of pre-training, two of segmentation; a substitute smaller than the volume.
      {"m3ae",
       {{"substitute_depth", 28}, {"substitute_height", 48}, {"substitute_width", 60}},
       {16, 32, 32},
       4,
       {"coarse", "final", "consistency"}},
      {"demoseg", Json::object(), {32, 32, 64}, 3, {"dice0", "cross3", "kl"}},
      // A generator whose loss looks at the batch, and the discriminator after it.
      {"ra-hved",
       Json::object(),
       {32, 32, 32},
       3,
       {"dice_full", "divergence", "images", "adversarial", "discriminator/real"},
       0},
  };
  return all;
}

RunConfig config_of(const Example& example, const fs::path& data) {
  RunConfig run = toy_config(data);
  run.method = example.method;
  run.method_options = example.options;
  run.width = 0.0625;
  run.patch = example.patch;
  run.split = "runs";
  run.steps = example.steps;
  run.batch = 1;
  run.ema = 0;
  run.validate_every = 0;
  run.checkpoint_steps = 0;
  run.log_every = 1;
  return run;
}

class MethodRuns : public ::testing::TestWithParam<Example> {
 protected:
  TrainingResult run_until(const fs::path& run, std::int64_t steps) {
    TrainingHooks hooks;
    hooks.progress = false;
    hooks.stop_requested = [&] {
      return lines_of(run / "metrics.jsonl").size() >= static_cast<std::size_t>(steps);
    };
    return train(config_of(GetParam(), cache()), run, hooks);
  }
  const TemporaryDirectory folder_;
};

TEST_P(MethodRuns, StoppedAfterAnyStepOfAnyStageTheyResumeBitEqually) {
  const std::int64_t steps = GetParam().steps;
  ASSERT_EQ(run_until(folder_ / "whole", 100).code, ExitCode::kDone);
  const auto metrics = timeless_metrics(folder_ / "whole");
  ASSERT_EQ(metrics.size(), static_cast<std::size_t>(steps));
  EXPECT_EQ(count_events(folder_ / "whole", "nonfinite"), 0);
  for (const std::string& part : GetParam().parts) {
    EXPECT_TRUE(metrics.back().at("losses").contains(part)) << part;
  }
  const fs::path last = fmt::format("checkpoints/step-{:08}", steps);
  for (std::int64_t stop = 1; stop < steps; ++stop) {
    const fs::path run = folder_ / std::to_string(stop);
    ASSERT_EQ(run_until(run, stop).code, ExitCode::kSavedOnRequest) << stop;
    ASSERT_EQ(run_until(run, 100).code, ExitCode::kDone) << stop;
    for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
      ASSERT_FALSE(bytes_of(folder_ / "whole" / last / file).empty()) << file;
      EXPECT_TRUE(bytes_of(run / last / file) == bytes_of(folder_ / "whole" / last / file))
          << file << stop;
    }
    EXPECT_EQ(timeless_metrics(run), metrics) << stop;
  }
}

// One of two samples in a batch goes to each rank. One process takes them one by one too: in float
// the rounding of a batch that is computed together grows a hundredfold per step in the
// normalisation of nearly constant maps (ShaSpec: 1e-7, 2e-4, 7e-3), whatever the number of ranks.
TEST_P(MethodRuns, TwoRanksHaveTheLossesOfOne) {
  for (const int ranks : {1, 2}) {
    const Json spec = {{"method", GetParam().method},
                       {"cache", cache().string()},
                       {"run", (folder_ / std::to_string(ranks)).string()}};
    ::setenv("LACUNA_TEST_SPEC", spec.dump().c_str(), 1);
    ASSERT_EQ(run_ranks(ranks, "TrainMethod"), 0) << ranks;
  }
  const auto one = timeless_metrics(folder_ / "1"), two = timeless_metrics(folder_ / "2");
  ASSERT_EQ(one.size(), static_cast<std::size_t>(GetParam().steps));
  EXPECT_LT(largest_difference(one, two), 1e-4);
  if (GetParam().micro_batch > 0) return;
  // Both computed the two samples at once: running averages have moved alike, too.
  const fs::path last = fmt::format("checkpoints/step-{:08}/model.safetensors", GetParam().steps);
  const TensorFile file(folder_ / "1" / last), other(folder_ / "2" / last);
  for (const TensorView& tensor : file.tensors()) {
    if (tensor.name.find(".running_") == std::string::npos) continue;
    const at::Tensor expected = methods::read_tensor(file, folder_ / "1" / last, tensor.name);
    const at::Tensor found = methods::read_tensor(other, folder_ / "2" / last, tensor.name);
    EXPECT_TRUE(at::allclose(found, expected, 1e-4, 1e-5)) << tensor.name << found << expected;
  }
}

// The losses of every phase of two steps on one batch.
std::vector<double> losses_of_two_steps(const Example& example, bool bf16,
                                        at::MemoryFormat layout = at::MemoryFormat::Contiguous) {
  const methods::MethodEntry& entry = methods::find_method(example.method);
  Json options = example.options;
  for (const Option& option : entry.options) {
    if (option.path != "dropout") continue;  // its masks follow the layout
    options["dropout"] = option.type == Option::Type::kBool ? Json(false) : Json(0);
  }
  const auto method = methods::make_method(
      entry.name, data::ModalitySet({"FLAIR", "T1", "T1c", "T2"}), 0.0625, options, example.patch);
  torch::manual_seed(1);
  method->initialise();
  place(*method, {at::kCPU, layout});
  methods::Batch batch;
  const auto [d, h, w] = example.patch;
  batch.image = torch::randn({2, 4, d, h, w});
  batch.label = (batch.image.sum(1) > 2).to(at::kByte) * 3;  // something to learn
  batch.image = batch.image.contiguous(layout);
  batch.subsets.assign(static_cast<std::size_t>(method->recipe().draws), {0b1111, 0b0101});
  batch.sample_index = {3, 4};
  TrainingState state(*method, 0);
  methods::Stage stage = method->stages(100).back();
  state.enter_stage(stage, /*fresh=*/true);
  std::vector<double> losses;
  for (methods::Progress at{.seed = 1, .steps = 100}; at.step < 2; ++at.step, ++at.stage_step) {
    for (const methods::Phase& phase : stage.phases) {
      const PhaseOutcome outcome = run_phase(*method, state, phase, batch, at, {.bf16 = bf16});
      EXPECT_TRUE(outcome.finite);
      losses.push_back(outcome.loss);
    }
    method->end_step(at);
  }
  return losses;
}

// A number of bf16 has 8 bits, and rounding to it is as likely up as down, so that losses, which
// are means over thousands of voxels, agree much better: measured 1e-4 to 1.1e-2 of themselves. In
// the second step the weights are others: a forward pass with casts of the old ones would not move
// the loss, which otherwise moves as in float (measured: within a fifth).
TEST_P(MethodRuns, TwoStepsInBf16FollowThoseInFloat) {
  const auto wide = losses_of_two_steps(GetParam(), false);
  const auto narrow = losses_of_two_steps(GetParam(), true);
  ASSERT_EQ(narrow.size(), wide.size());
  for (std::size_t i = 0; i < wide.size(); ++i) {
    EXPECT_NEAR(narrow[i], wide[i], 0.02 * std::abs(wide[i])) << i;
  }
  const std::size_t phases = wide.size() / 2;  // the first one is the networks' own
  const double wide_move = wide[phases] - wide[0], narrow_move = narrow[phases] - narrow[0];
  EXPECT_NEAR(narrow_move, wide_move, 0.5 * std::abs(wide_move));
}

// The same numbers in another order of summation; the second step starts from weights that differ
// by rounding already.
TEST_P(MethodRuns, ChannelsLastHasTheLossesOfContiguousTensors) {
  const auto plain = losses_of_two_steps(GetParam(), false);
  const auto last = losses_of_two_steps(GetParam(), false, at::MemoryFormat::ChannelsLast3d);
  ASSERT_EQ(last.size(), plain.size());
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const bool first_step = i < plain.size() / 2;
    EXPECT_NEAR(last[i], plain[i], (first_step ? 1e-4 : 1e-2) * std::abs(plain[i])) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(BuiltIn, MethodRuns, ::testing::ValuesIn(examples()),
                         [](const auto& about) {
                           std::string name = about.param.method;
                           std::erase(name, '-');
                           return name;
                         });

// What each rank of the test above does.
TEST(RankBody, DISABLED_TrainMethod) {
  const Json spec = Json::parse(std::getenv("LACUNA_TEST_SPEC"));
  int code = 1;
  {
    comm::MpiSession mpi;
    const auto world = mpi.world();
    TrainingHooks hooks;
    hooks.progress = false;
    hooks.ranks = world.get();
    for (const Example& example : examples()) {
      if (example.method != spec.at("method").get<std::string>()) continue;
      RunConfig run = config_of(example, spec.at("cache").get<std::string>());
      run.batch = 2;
      run.micro_batch = example.micro_batch;
      code = static_cast<int>(train(run, spec.at("run").get<std::string>(), hooks).code);
    }
  }
  std::_Exit(code);
}

}  // namespace
}  // namespace lacuna::worker
