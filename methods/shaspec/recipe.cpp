// How ShaSpec makes training samples and segmentations, and what it says about itself.
#include "methods/shared/shared_recipe.h"
#include "methods/shaspec/method.h"

namespace lacuna::methods::shaspec {

data::DataRecipe Method::recipe() const {
  data::DataRecipe recipe = shared_data_recipe(options_.recipe);
  recipe.published_cap = options_.official;
  return recipe;
}

InferenceRecipe Method::inference() const { return shared_inference(options_.recipe); }

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "shaspec",
      .title = "Shared-specific feature modelling",
      .source =
          "\"Multi-modal Learning with Missing Modality via Shared-Specific Feature Modelling\", "
          "CVPR 2023, arXiv 2307.14126; published code billhhh/ShaSpec, commit 081fe7a",
      .idea =
          "One encoder is shared by all modalities and one belongs to each; a convolution merges "
          "both features of a modality, and one decoder segments. The shared features are "
          "aligned with each other, the private ones trained to tell which modality they come "
          "from. A missing modality borrows the shared feature of the available ones.",
      .output =
          "logits of ET, WT, TC (three independent sigmoids follow), after the trilinear "
          "enlargement by (1,2,2)",
      .deviations =
          "A missing modality borrows the mean of the available shared features, as the paper "
          "says, and augmentation interpolates images linearly, unless official is set. Cases "
          "come in a new order each epoch, not from one long shuffled list. Crops, subsets, "
          "augmentation and the lending modality are seeded; the lender is drawn per "
          "sample (published batch: 1). Run step and published iteration agree; iteration 79,999, "
          "which the published code runs in both stages (at a rate of 4e-7 in the first), runs "
          "once. Of the published post-processing only the minimum of enhancing tumour is there "
          "(et_min): the removal of small components and the K-means step, which reads T1c even "
          "where it is missing, are not. The attention option, which the published runs leave "
          "off, is not built: a state_dict with multihead_attn is refused.",
      .options = binding().declared(),
      .run_defaults = R"({"train": {"steps": 180000, "batch": 1}})",
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
  };
  return entry;
}

}  // namespace lacuna::methods::shaspec
