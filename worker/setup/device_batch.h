// A batch of a loader on the training device. The tensors share memory with the loader's buffers
// on the CPU; the buffers go back to the loader with the object, which the loader must outlive.
#pragma once

#include <memory>

#include "data/sampling/loader.h"
#include "methods/method.h"
#include "worker/setup/device_setup.h"

namespace lacuna::worker {

class DeviceBatch {
 public:
  // Takes the loader's next batch.
  DeviceBatch(data::Loader& loader, const Placement& placement);
  ~DeviceBatch();
  DeviceBatch(const DeviceBatch&) = delete;
  DeviceBatch& operator=(const DeviceBatch&) = delete;

  const methods::Batch& batch() const { return batch_; }

 private:
  data::Loader& loader_;
  std::unique_ptr<data::HostBatch> host_;
  methods::Batch batch_;
};

// What all loaders of a run have in common; the cases are missing.
data::LoaderOptions loader_options(const data::DataRecipe& recipe, const RunConfig& config);

// The method's recipe with the run's patch and augmentation.
data::DataRecipe run_recipe(const methods::Method& method, const RunConfig& config);

}  // namespace lacuna::worker
