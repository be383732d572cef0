// What M2FTrans says about itself.
#include "methods/m2ftrans/method.h"

namespace lacuna::methods::m2ftrans {

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "m2ftrans",
      .title = "Modality-masked fusion transformer",
      .source =
          "\"M2FTrans: Modality-Masked Fusion Transformer for Incomplete Multi-Modality Brain "
          "Tumor Segmentation\", IEEE JBHI 28(1), 2024; published code Jun-Jie-Shi/M2FTrans, "
          "commit 03a0b28, first version",
      .idea =
          "Each modality has an encoder. At the deepest level learned fusion tokens look at the "
          "tokens of the modalities that are there, and at no others. How much attention they pay "
          "to each place of a modality weights its features at every level. Cross attention "
          "between channels fuses the two deepest levels, convolutions the others.",
      .output =
          "logits of background, necrosis (NCR/NET), oedema, enhancing tumour (softmax follows)",
      .deviations =
          "The first of the two published versions; the second has half the width, patches of "
          "128^3 (model.width=0.5, data.patch) and data of its own, which is not offered. The "
          "learning rate is not rounded to 8 digits. An epoch is a 1000th of the run. A modality "
          "that a training case never had is left out of the single-modality losses. Without "
          "official an enhancing tumour of fewer than 500 voxels stays. Crops, subsets, "
          "augmentation and dropout are seeded.",
      .options = binding().declared(),
      // 1000 epochs of 150 steps.
      .run_defaults = R"({"train": {"steps": 150000, "batch": 4}})",
      .epochs = 1000,
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
  };
  return entry;
}

}  // namespace lacuna::methods::m2ftrans
