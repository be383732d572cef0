// What RFNet says about itself.
#include "methods/rfnet/method.h"

namespace lacuna::methods::rfnet {

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "rfnet",
      .title = "Region-aware fusion",
      .source =
          "\"RFNet: Region-aware Fusion Network for Incomplete Multi-modal Brain Tumor "
          "Segmentation\", ICCV 2021; published code dyh127/RFNet, commit 1e475fa",
      .idea =
          "Each modality has an encoder, and one decoder segments from what they have at every "
          "scale. A coarse map of class probabilities divides the image into regions, and each "
          "region weights the modalities in its own way. A second decoder, shared by the "
          "modalities, segments from each of them alone and keeps every encoder useful.",
      .output =
          "logits of background, necrosis (NCR/NET), oedema, enhancing tumour (softmax follows)",
      .deviations =
          "Convolutions mirror their borders, as the code says; the released weights come from a "
          "PyTorch that padded with zeros (method_options.padding). The learning rate is not "
          "rounded to 8 digits. An epoch is a 300th of the run. A modality that a training case "
          "never had is left out of the single-modality losses. Without official an enhancing "
          "tumour of fewer than 500 voxels stays. Crops, subsets and augmentation are seeded.",
      .options = binding().declared(),
      // 300 epochs of 150 steps.
      .run_defaults = R"({"train": {"steps": 45000, "batch": 2}})",
      .epochs = 300,
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
  };
  return entry;
}

}  // namespace lacuna::methods::rfnet
