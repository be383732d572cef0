#include "methods/m3ae/options.h"

#include <charconv>

#include "base/error.h"

namespace lacuna::methods::m3ae {

std::vector<std::int64_t> Options::tokens() const {
  std::vector<std::int64_t> numbers;
  const char* at = kept_tokens.data();
  const char* const end = at + kept_tokens.size();
  while (at != end) {
    std::int64_t number = 0;
    const auto [stop, error] = std::from_chars(at, end, number);
    const bool separated = stop != end && *stop == ',' && stop + 1 != end;
    if (error != std::errc() || number < 0 || (stop != end && !separated)) {
      throw_error<ConfigError>(
          "method_options.kept_tokens is \"{}\"; it takes numbers of tokens separated by commas, "
          "for example 27,31,34",
          kept_tokens);
    }
    numbers.push_back(number);
    at = separated ? stop + 1 : stop;
  }
  return numbers;
}

const OptionBinding<Options>& binding() {
  const OptionLimits extent{.minimum = 1, .maximum = 4096, .unit = "voxels"};
  const auto axis = [](std::size_t i) {
    return [i](Options& options) -> std::int64_t& { return options.substitute[i]; };
  };
  static const auto options =
      OptionBinding<Options>()
          .flag("official", &Options::official, false,
                "The published code wherever it deviates from the paper: the default of each key "
                "below that is null.")
          .flag("pretraining", &Options::pretraining, true,
                "First the masked auto-encoder, then segmentation. Without it segmentation alone, "
                "from given weights (init.weights) or from random ones.")
          .number("mask_ratio", &Options::mask_ratio, 0.875,
                  "Part of all patches of 16 x 16 x 16 voxels that pre-training hides, those of "
                  "dropped modalities among them.",
                  {.minimum = 0, .maximum = 0.999})
          .number("substitute_weight", &Options::image_weight, 0.005,
                  "Weight of the norm of the substitute image, less its mean, in pre-training.",
                  {.minimum = 0})
          .number("consistency_weight", &Options::consistency_weight, 0.1,
                  "Weight of the difference of the two copies of a case.", {.minimum = 0})
          .choice("consistency", &Options::consistency, by_official("bottleneck", "logits"),
                  {{"bottleneck", ConsistencyOf::kBottleneck}, {"logits", ConsistencyOf::kLogits}},
                  "What is compared between the copies: bottleneck features (paper) or the logits "
                  "of the coarsest head (published script).")
          .flag("corner_in_box", &Options::corner_in_box, by_official(false, true),
                "In evaluation the substitute image is cut at the window's place in the brain box "
                "(published script), not in the volume as in training.")
          .integer("substitute_depth", axis(0), 155,
                   "Extent of the substitute image along the network's first axis. Outside of it "
                   "its mean stands in.",
                   extent)
          .integer("substitute_height", axis(1), 240, "The same along the second axis.", extent)
          .integer("substitute_width", axis(2), 240, "The same along the third axis.", extent)
          .text("kept_tokens", &Options::kept_tokens, "",
                "Numbers of the patches that pre-training keeps in every sample, separated by "
                "commas: for comparison with published code. Empty: drawn.");
  return options;
}

}  // namespace lacuna::methods::m3ae
