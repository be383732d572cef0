// A method small enough for tests that train whole runs: two convolutions with dropout, an
// importance weight per modality that is learned on the meta set, two stages.
//
// Stage "full" (the first half of the steps) trains both convolutions; "random" starts by scaling
// the last bias, trains on random subsets, and resets the optimisers.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <torch/nn/modules/conv.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "methods/method.h"

namespace lacuna::worker {

struct ToyModule : torch::nn::Module {
  ToyModule() {
    first =
        register_module("first", torch::nn::Conv3d(torch::nn::Conv3dOptions(4, 6, 3).padding(1)));
    last = register_module("last", torch::nn::Conv3d(torch::nn::Conv3dOptions(6, 3, 1)));
    importance = register_parameter("importance", torch::zeros({4}));
    seen = register_buffer("seen", torch::zeros({1}, at::kLong));
    running = register_buffer("running", torch::zeros({1}));
  }
  torch::nn::Conv3d first{nullptr}, last{nullptr};
  at::Tensor importance, seen, running;
};

class ToyMethod final : public methods::Method {
 public:
  // Called at the start of every loss(); `poison` may turn the loss into NaN.
  std::function<void(const std::string& phase, const methods::Progress&)> on_loss;
  std::function<bool(const std::string& phase, const methods::Progress&)> poison;
  bool blank = false;                     // every voxel is background in a validation
  std::function<void()> on_forward;       // of a validation, once per window and subset
  std::string meta_group = "importance";  // that the phase on the meta set trains
  bool meta_first = false;                // before the training phase of its step
  bool joint = false;                     // adds a Dice loss over the whole batch
  std::vector<std::string> given;         // given_tensors()
  double dropout = 0.1;  // draws from torch's generator: differs between numbers of ranks

  torch::nn::Module& module() override { return *module_; }
  std::vector<methods::ParameterGroup> groups() override {
    return {{"network", {"first.weight", "first.bias", "last.weight", "last.bias"}},
            {"importance", {"importance"}}};
  }

  std::vector<methods::Stage> stages(std::int64_t steps) const override {
    methods::TrainedGroup network{"network", {}, {}};
    network.optimizer.kind = methods::OptimizerSpec::Kind::kSgd;
    network.optimizer.learning_rate = 0.05;
    network.optimizer.momentum = 0.9;
    network.optimizer.nesterov = true;
    network.schedule.kind = methods::ScheduleSpec::Kind::kPoly;
    network.schedule.horizon = steps;
    methods::TrainedGroup importance{meta_group, {}, {}};
    importance.optimizer.learning_rate = 0.01;
    methods::Phase train{"train", {network}};
    train.joint = joint;
    methods::Phase meta{"meta", {importance}};
    meta.on_meta_set = true;
    meta.period = 3;
    meta.repeats = 2;
    meta.batch = 1;
    methods::Stage full{
        "full", steps / 2, {{"policy", "full"}, {"granularity", "batch"}}, {train, meta}};
    meta.period = 4;
    train.trains[0].schedule.first = steps / 2;
    methods::Stage random{"random",
                          steps - steps / 2,
                          {{"policy", "cardinality"}, {"granularity", "batch"}},
                          {train, meta},
                          /*reset_optimizers=*/true};
    if (meta_first) {
      for (methods::Stage* stage : {&full, &random}) {
        std::swap(stage->phases[0], stage->phases[1]);
      }
    }
    return {full, random};
  }

  data::DataRecipe recipe() const override {
    data::DataRecipe recipe;
    recipe.patch = {16, 16, 16};
    return recipe;
  }
  methods::InferenceRecipe inference() const override {
    methods::InferenceRecipe recipe;
    recipe.patch = {16, 16, 16};
    recipe.channels = {{0, data::Tissue::kOedema}};
    return recipe;
  }
  data::Extent extent_multiple() const override { return {4, 4, 4}; }
  std::vector<std::string> given_tensors() const override { return given; }

  void begin_stage(int stage) override {
    const torch::NoGradGuard no_grad;
    if (stage == 1) module_->last->bias.mul_(0.5);
  }

  methods::Loss loss(const std::string& phase, const methods::Batch& batch,
                     const methods::Progress& progress) override {
    if (on_loss) on_loss(phase, progress);
    at::Tensor image = batch.image;
    for (std::int64_t n = 0; n < image.size(0); ++n) {
      const auto subset = batch.subsets[0][static_cast<std::size_t>(n)];
      for (int m = 0; m < 4; ++m) {
        if (!data::contains(subset, m)) {
          image = image.clone();
          image[n][m].zero_();
        }
      }
    }
    // Training depends on the importance, but for its scale.
    const at::Tensor weights = at::softmax(module_->importance, 0).view({1, 4, 1, 1, 1});
    image = image * (phase == "meta" ? weights : weights + 0.75);
    at::Tensor hidden = at::relu(module_->first->forward(image));
    if (dropout > 0) hidden = at::dropout(hidden, dropout, /*train=*/true);
    const at::Tensor target =
        (batch.label > 0).to(image.dtype()).unsqueeze(1).expand({-1, 3, -1, -1, -1});
    const at::Tensor logits = module_->last->forward(hidden);
    at::Tensor bce = at::binary_cross_entropy_with_logits(logits, target);
    const bool poisoned = poison && poison(phase, progress);
    if (poisoned) bce = bce * std::numeric_limits<float>::quiet_NaN();
    if (phase == "train") {  // as a running mean follows its batches, bad ones too
      const torch::NoGradGuard no_grad;
      const float value = poisoned ? std::numeric_limits<float>::quiet_NaN() : 1.0f;
      module_->running.mul_(0.9).add_(batch.image.mean() * value, 0.1);
    }
    if (!joint || phase == "meta") return {bce, {{"bce", bce}}};
    const at::Tensor p = logits.sigmoid();
    at::Tensor sums = at::stack({(p * target).sum({0, 2, 3, 4}), (p + target).sum({0, 2, 3, 4})});
    if (batch.over_ranks) sums = batch.over_ranks(sums);
    const at::Tensor dice = 1 - (2 * sums[0] / (sums[1] + 1e-7)).mean();
    return {bce + 4 * dice, {{"bce", bce}, {"dice", dice}}};
  }
  void end_step(const methods::Progress&) override { module_->seen.add_(1); }
  std::vector<std::pair<std::string, double>> diagnostics() override {
    return {{"importance", module_->importance[0].item<double>()}};
  }
  at::Tensor forward(const at::Tensor& image, data::SubsetMask) override {
    if (on_forward) on_forward();
    const at::Tensor logits = module_->last->forward(at::relu(module_->first->forward(image)));
    return blank ? logits * 0 - 5 : logits;
  }

 private:
  std::shared_ptr<ToyModule> module_ = std::make_shared<ToyModule>();
};

}  // namespace lacuna::worker
