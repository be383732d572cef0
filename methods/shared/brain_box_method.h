// What RFNet and the methods that were built on it have in common beside their networks: the order
// of the modalities, one trained group, one stage of one phase, crops and segmentations. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "methods/method.h"
#include "methods/registry.h"
#include "methods/shared/modality_order.h"

namespace lacuna::methods {

struct BrainBoxRun {
  data::Extent patch;         // published; a run's own wins
  std::int64_t epochs;        // published, each an equal part of the stage
  bool local_dice;            // Dice sums of a rank alone
  std::int64_t et_min;        // voxels (methods/shared/brain_box_recipe.h)
  bool batch_subset = false;  // one subset for all samples of a batch, not one for each
};

class BrainBoxMethod : public Method {
 public:
  std::vector<int> published_channels() const override { return order_.channels(); }
  std::vector<ParameterGroup> groups() override;
  std::vector<Stage> stages(std::int64_t steps) const override;
  data::DataRecipe recipe() const override;
  InferenceRecipe inference() const override;

  const ModalityOrder& order() const { return order_; }

 protected:
  BrainBoxMethod(const MethodSettings& settings, const BrainBoxRun& run);

  // Whether a parameter is in the one group: what is stored and never run is not.
  virtual bool learns(const std::string& /*name*/) const { return true; }
  // Optimiser and schedule of the one group; published: Adam, poly (brain_box_group).
  virtual TrainedGroup trained(const std::string& group, std::int64_t steps) const;

  const BrainBoxRun& run() const { return run_; }
  const data::Extent& patch() const { return run_.patch; }
  // Whether a step lies in the first `epochs` of the published ones.
  bool within(std::int64_t epochs, const Progress& progress) const {
    return progress.stage_step * run_.epochs < epochs * progress.steps;
  }

 private:
  BrainBoxRun run_;
  ModalityOrder order_;
};

}  // namespace lacuna::methods
