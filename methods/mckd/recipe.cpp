// How MCKD makes training samples and segmentations, and what it says about itself.
#include "methods/mckd/method.h"
#include "methods/shared/shared_recipe.h"

namespace lacuna::methods::mckd {

data::DataRecipe Method::recipe() const {
  data::DataRecipe recipe = shared_data_recipe(options_.recipe);
  recipe.published_cap = options_.official;
  return recipe;
}

InferenceRecipe Method::inference() const { return shared_inference(options_.recipe); }

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "mckd",
      .title = "Meta-learned cross-modal knowledge distillation",
      .source =
          "\"Enhancing Multi-modal Learning: Meta-learned Cross-modal Knowledge Distillation "
          "for Handling Missing Modalities\", 2024, arXiv 2405.07155; published code "
          "billhhh/MCKD, commit b0466a5",
      .idea =
          "One encoder is shared by all modalities, one decoder segments; the bottleneck "
          "feature of a missing modality is the mean of the available ones. A vector of "
          "modality importance is meta-learned on a few held-out cases. Its ratios weight a "
          "pairwise distillation from important to less important modalities.",
      .output =
          "logits of ET, WT, TC (three independent sigmoids follow), after the trilinear "
          "enlargement by (1,2,2)",
      .deviations =
          "The attention module that the published code builds and never uses is left out: its 4 "
          "tensors are ignored on import. Run step and published iteration agree; iteration "
          "79,999, "
          "which the published code runs in both stages (at a rate of 4e-7 in the first), runs "
          "once. "
          "Augmentation interpolates images linearly, and no tumour is relabelled as too small, "
          "unless "
          "official is set; of the published post-processing only that minimum is there (et_min). "
          "Crops, subsets and augmentation are seeded; cases come in a new order each epoch, not "
          "from one long shuffled list.",
      .options = binding().declared(),
      .run_defaults = R"({"train": {"steps": 115000, "batch": 2}})",
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
      .channels_last_on_cpu = true,  // even at 64^3, a fifth faster at 96^3
  };
  return entry;
}

}  // namespace lacuna::methods::mckd
