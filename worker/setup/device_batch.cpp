#include "worker/setup/device_batch.h"

#include <utility>

#include <ATen/ATen.h>

namespace lacuna::worker {

DeviceBatch::DeviceBatch(data::Loader& loader, const Placement& placement)
    : loader_(loader), host_(loader.next()) {
  const std::int64_t samples = host_->samples;
  const auto [depth, height, width] = host_->patch;
  const data::Axes& axes = host_->axes;
  // On the CPU the tensors are views of the loader's buffers: no copy.
  batch_.image =
      at::from_blob(host_->image.data(), {samples, host_->modalities, depth, height, width},
                    at::TensorOptions().dtype(at::kFloat))
          .permute({0, 1, axes[0] + 2, axes[1] + 2, axes[2] + 2})
          .to(placement.device)
          .contiguous(placement.layout);
  batch_.label = at::from_blob(host_->label.data(), {samples, depth, height, width},
                               at::TensorOptions().dtype(at::kByte))
                     .permute({0, axes[0] + 1, axes[1] + 1, axes[2] + 1})
                     .to(placement.device)
                     .contiguous();
  for (data::HostLabelMap& map : host_->label_maps) {
    if (!map.present) continue;
    batch_.extras[map.name] =
        at::from_blob(map.values.data(), {samples, host_->modalities, depth, height, width},
                      at::TensorOptions().dtype(at::kByte))
            .permute({0, 1, axes[0] + 2, axes[1] + 2, axes[2] + 2})
            .to(placement.device)
            .contiguous();
  }
  batch_.subsets = host_->subsets;
  batch_.available = host_->available;
  batch_.sample_index = host_->sample_index;
  for (const data::Extent& corner : host_->origin) {
    batch_.origin.push_back(data::to_network_order(corner, axes));
  }
}

DeviceBatch::~DeviceBatch() {
  batch_ = {};
  loader_.recycle(std::move(host_));
}

data::LoaderOptions loader_options(const data::DataRecipe& recipe, const RunConfig& config) {
  data::LoaderOptions options;
  options.recipe = data::in_volume_order(recipe);
  options.seed = config.seed;
  options.steps = config.steps;
  options.batch = config.batch;
  return options;
}

data::DataRecipe run_recipe(const methods::Method& method, const RunConfig& config) {
  data::DataRecipe recipe = method.recipe();
  if (config.patch) recipe.patch = *config.patch;
  if (config.augment == "none") {
    recipe.augmentation = {};
    recipe.crop.scale_probability = 0;
  }
  return recipe;
}

}  // namespace lacuna::worker
