#include "methods/medmap/options.h"

namespace lacuna::methods::medmap {

const OptionBinding<Options>& binding() {
  static const auto options =
      OptionBinding<Options>()
          .choice(
              "host", &Options::host, "mmformer",
              {{"mmformer", "mmformer"}, {"acn", "acn"}, {"pmkl", "pmkl"}},
              "The method whose network sees the mapped images; its own options are the section "
              "of its name.")
          .text("subset", &Options::subset, std::nullopt,
                "The modalities that the host's student is made for, where the host has such an "
                "option; null: it serves all subsets.")
          .choice("placement", &Options::placement, by_official("input", "stage1"),
                  {{"input", Placement::kInput}, {"stage1", Placement::kFirstLevel}},
                  "What is aligned: the images, behind the shared encoder, or the finest features "
                  "of each modality, where the anchor stands for what is missing.")
          .choice("encoder", &Options::encoder, "dense",
                  {{"dense", Encoder::kDense},
                   {"grouped", Encoder::kGrouped},
                   {"identity", Encoder::kIdentity}},
                  "The shared encoder before the host: every modality sees all, each itself alone, "
                  "or none.")
          .choice("norm", &Options::norm, "batch",
                  {{"batch", Norm::kBatch}, {"instance", Norm::kInstance}, {"group", Norm::kGroup}},
                  "Normalisation in the shared encoder; batch: by running averages in evaluation.")
          .choice("statistics", &Options::batch_statistics, "sample",
                  {{"sample", false}, {"batch", true}},
                  "In training batch norm takes those of each sample, or of what is computed at "
                  "once (PyTorch's, which depends on ranks and micro-batches).")
          .choice("anchor", &Options::anchor, "softmax",
                  {{"softmax", Anchor::kSoftmax},
                   {"ratio", Anchor::kRatio},
                   {"raw", Anchor::kRaw},
                   {"modality", Anchor::kModality},
                   {"normal", Anchor::kNormal}},
                  "What modalities are drawn to: a learnt mixture of them with weights softmax(w), "
                  "w / sum(w) or w; one modality; the standard normal distribution.")
          .text("anchor_modality", &Options::anchor_modality, "FLAIR",
                "The modality of the anchor `modality`.")
          .flag("detach_anchor", &Options::detach_anchor, std::nullopt,
                "No gradient flows through the anchor's features; null: only of the anchor "
                "`modality`.")
          .number("alpha", &Options::alpha, by_official(0.125, 0.5),
                  "Weight of the alignment, the mean over modalities of the squared difference.",
                  {.minimum = 0})
          .flag("leak", &Options::leak, false,
                "The shared encoder sees missing modalities, too, in training and evaluation: "
                "results are then invalid for any claim about missing modalities.")
          .choice("separate", &Options::separate_missing, std::nullopt,
                  {{"present", false}, {"all", true}},
                  "Outputs of single modalities in the host's loss: of those that are present, or "
                  "of all; null: present where missing images are 0, else all.")
          .flag("test_scale", &Options::test_scale, by_official(false, true),
                "stage1: features are multiplied by their weight in evaluation, but not in "
                "training (published code).")
          .flag("official", &Options::official, false,
                "The published code where it differs from the paper; the host has its own.");
  return options;
}

}  // namespace lacuna::methods::medmap
