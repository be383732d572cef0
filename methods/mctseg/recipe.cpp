// What MCTSeg says about itself.
#include "methods/mctseg/method.h"

namespace lacuna::methods::mctseg {

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "mctseg",
      .title = "Multimodal feature distillation with a CNN-transformer network",
      .source =
          "\"A Multimodal Feature Distillation with CNN-Transformer Network for Brain Tumor "
          "Segmentation with Incomplete Modalities\", 2024, arXiv 2404.14019; published code "
          "mkang315/MCTSeg, commit dfdbe93",
      .idea =
          "Each modality has a convolutional encoder and a transformer with convolutional adapters "
          "beside attention and feed-forward; a fusion lets the tokens of all modalities see each "
          "other. In training an encoder of all images at once teaches each modality's encoder its "
          "features. A decoder fuses at every scale.",
      .output =
          "logits of background, necrosis (NCR/NET), oedema, enhancing tumour (softmax follows)",
      .deviations =
          "Positions, which the published code makes anew as zeros in every pass, are left out "
          "(positions=learnt), as are the modules that it stores and never runs; weights of it are "
          "taken without them. A case that never had a modality has no teacher, and its missing "
          "modality no output. Folds are the cohort's, not the released script's. The learning "
          "rate "
          "is not rounded to 8 digits; an epoch is a 1000th of the run. Without official an "
          "enhancing tumour of fewer than 500 voxels stays. Crops, subsets, augmentation and "
          "dropout are seeded.",
      .options = binding().declared(),
      // 1000 epochs of the 190 cases of two folds of BraTS 2018.
      .run_defaults = R"({"train": {"steps": 190000, "batch": 1}})",
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
  };
  return entry;
}

}  // namespace lacuna::methods::mctseg
