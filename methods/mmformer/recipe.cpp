// What mmFormer says about itself.
#include "methods/mmformer/method.h"

namespace lacuna::methods::mmformer {

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "mmformer",
      .title = "Multimodal medical transformer",
      .source =
          "\"mmFormer: Multimodal Medical Transformer for Incomplete Multimodal Learning of Brain "
          "Tumor Segmentation\", MICCAI 2022, arXiv 2206.02425; published code "
          "YaoZhang93/mmFormer, commit b18663a",
      .idea =
          "Each modality has a convolutional encoder and a transformer over its deepest features; "
          "one more transformer lets the tokens of all modalities see each other. A decoder fuses "
          "the modalities' features at every scale. Outputs of single modalities and of every "
          "scale of the decoder are trained, too.",
      .output =
          "logits of background, necrosis (NCR/NET), oedema, enhancing tumour (softmax follows)",
      .deviations =
          "The network is the published code's since August 2022 (36.65 million parameters), on "
          "which later papers build, not the paper's (106.5 million). Convolutions mirror their "
          "borders, as the code says; a PyTorch 1.2 pads with zeros instead "
          "(method_options.padding). The learning rate is not rounded to 8 digits. An epoch is a "
          "1000th of the run. A modality that a training case never had is left out of the "
          "single-modality losses. Without official an enhancing tumour of fewer than 500 voxels "
          "stays. Crops, subsets, augmentation and dropout are seeded.",
      .options = binding().declared(),
      // 1000 epochs of 24 steps.
      .run_defaults = R"({"train": {"steps": 24000, "batch": 8}})",
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
  };
  return entry;
}

}  // namespace lacuna::methods::mmformer
