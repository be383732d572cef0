// The options of MedMAP (section method_options of a run), without those of its host. Value type.
#pragma once

#include <optional>
#include <string>

#include "methods/shared/option_binding.h"

namespace lacuna::methods::medmap {

enum class Placement { kInput, kFirstLevel };
enum class Encoder { kDense, kGrouped, kIdentity };
enum class Norm { kBatch, kInstance, kGroup };
enum class Anchor { kSoftmax, kRatio, kRaw, kModality, kNormal };

struct Options {
  std::string host = "mmformer";
  std::optional<std::string> subset;  // handed on to a host that has the option
  Placement placement = Placement::kInput;
  Encoder encoder = Encoder::kDense;
  Norm norm = Norm::kBatch;
  bool batch_statistics = false;
  Anchor anchor = Anchor::kSoftmax;
  std::string anchor_modality = "FLAIR";
  std::optional<bool> detach_anchor;
  double alpha = 0.125;
  bool leak = false;
  std::optional<bool> separate_missing;
  bool test_scale = false;
  bool official = false;
};

const OptionBinding<Options>& binding();

}  // namespace lacuna::methods::medmap
