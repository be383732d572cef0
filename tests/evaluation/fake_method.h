// Methods whose output can be worked out by hand, for the tests of windows and subsets.
#pragma once

#include <functional>
#include <utility>

#include <torch/nn/modules/linear.h>
#include <torch/utils.h>

#include "methods/method.h"

namespace lacuna::evaluation {

// forward() is a given function of the image (absent modalities set to 0) and the subset.
class FakeMethod final : public methods::Method {
 public:
  using Forward = std::function<at::Tensor(const at::Tensor& image, data::SubsetMask subset)>;

  FakeMethod(Forward forward, methods::InferenceRecipe recipe)
      : forward_(std::move(forward)), recipe_(std::move(recipe)) {}

  torch::nn::Module& module() override { return *module_; }
  std::vector<methods::ParameterGroup> groups() override { return {}; }
  std::vector<methods::Stage> stages(std::int64_t) const override { return {}; }
  data::DataRecipe recipe() const override { return data; }
  methods::InferenceRecipe inference() const override { return recipe_; }
  data::Extent extent_multiple() const override { return {2, 2, 2}; }
  methods::Loss loss(const std::string&, const methods::Batch&, const methods::Progress&) override {
    return {};
  }
  at::Tensor forward(const at::Tensor& image, data::SubsetMask subset) override {
    at::Tensor kept = image.clone();
    for (std::int64_t m = 0; m < image.size(1); ++m) {
      if (!data::contains(subset, static_cast<int>(m))) kept.select(1, m).zero_();
    }
    return forward_(kept, subset);
  }
  methods::Features encode(const at::Tensor& image) override {
    ++encoded;
    EXPECT_FALSE(module_->is_training());
    EXPECT_FALSE(torch::GradMode::is_enabled());
    return {image};
  }

  int encoded = 0;  // windows so far
  data::DataRecipe data;

 private:
  Forward forward_;
  methods::InferenceRecipe recipe_;
  torch::nn::Linear module_ = torch::nn::Linear(1, 1);
};

// Oedema where the first channel says so, then necrosis over it, then enhancing tissue.
inline methods::InferenceRecipe small_recipe() {
  methods::InferenceRecipe recipe;
  recipe.patch = {4, 6, 4};
  recipe.channels = {
      {0, data::Tissue::kOedema}, {2, data::Tissue::kNecrosis}, {1, data::Tissue::kEnhancing}};
  return recipe;
}

}  // namespace lacuna::evaluation
