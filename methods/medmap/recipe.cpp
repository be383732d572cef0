// The hosts of MedMAP, and what it says about itself.
#include "methods/acn/method.h"
#include "methods/medmap/method.h"
#include "methods/mmformer/method.h"
#include "methods/pmkl/method.h"

namespace lacuna::methods::medmap {

const std::vector<Host>& hosts() {
  static const std::vector<Host> all = {
      {&mmformer::entry(), true}, {&acn::entry(), false}, {&pmkl::entry(), false}};
  return all;
}

namespace {

// MedMAP's own, then each host's under its name; `subset` is stated once.
std::vector<Option> all_options() {
  std::vector<Option> options = binding().declared();
  for (const Host& host : hosts()) {
    for (Option option : host.entry->options) {
      if (option.path == "subset") continue;
      option.path = host.entry->name + "." + option.path;
      options.push_back(option);
    }
  }
  return options;
}

}  // namespace

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "medmap",
      .title = "Alignment of modalities before another method's network",
      .source =
          "\"MedMAP: Promoting Incomplete Multi-modal Brain Tumor Segmentation with Alignment\", "
          "2024, arXiv 2408.09465; published fragment T-Y-Liu/MedMAP, commit 76413fc",
      .idea =
          "A small encoder that all modalities share maps the images before they enter the network "
          "of another method, the host. Every mapped modality is drawn to an anchor, a learnt "
          "mixture of all of them. The host is trained as ever, with the alignment as one more "
          "term.",
      .output = "those of the host",
      .deviations =
          "The shared encoder mixes modalities, so a missing image is 0 before it: the printed "
          "rows of mmFormer look as if it was not (method_options.leak, invalid for claims about "
          "missing modalities). Single-modality losses of mmFormer then take the modalities that "
          "are there. ACN: the alignment lies before the full network, not at its bottleneck, "
          "which has no modalities any more; PMKL: before the teacher. Batch norm takes the "
          "statistics of each sample "
          "(method_options.statistics). The mixture is softmax-weighted, as in the published "
          "code; code for the encoder was withdrawn and the training script never published. The "
          "host mmFormer trains with a batch of 1 by default.",
      .options = all_options(),
      // The host mmFormer: 1000 epochs of 199 cases, one at a time.
      .run_defaults = R"({"train": {"steps": 199000, "batch": 1}})",
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
  };
  return entry;
}

}  // namespace lacuna::methods::medmap
