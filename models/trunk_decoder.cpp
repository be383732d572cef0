#include "models/trunk_decoder.h"

#include <string>

#include <ATen/ops/cat.h>

namespace lacuna::models {

TrunkDecoder::TrunkDecoder(const std::vector<std::int64_t>& channels, const UnitStyle& style)
    : stages_(channels.size() - 1), nearest_(style.nearest) {
  for (std::size_t level = stages_.size(); level > 0; --level) {
    const std::int64_t out = channels[level - 1], in = channels[level];
    const auto make = [&](const char* part, std::int64_t from, std::int64_t kernel) {
      return register_module("d" + std::to_string(level) + part,
                             std::make_shared<ConvUnit>(from, out, kernel, style));
    };
    Stage& stage = stages_[level - 1];
    stage.c1 = make("_c1", in, 3);
    stage.c2 = make("_c2", 2 * out, 3);
    stage.out = make("_out", out, 1);
  }
}

at::Tensor TrunkDecoder::enter(int level, const at::Tensor& x) const {
  return stages_[static_cast<std::size_t>(level) - 1].c1->forward(nearest_ ? enlarge_nearest(x)
                                                                           : enlarge(x));
}

at::Tensor TrunkDecoder::leave(int level, const at::Tensor& joined) const {
  const Stage& stage = stages_[static_cast<std::size_t>(level) - 1];
  return stage.out->forward(stage.c2->forward(joined));
}

SeparateDecoder::SeparateDecoder(const std::vector<std::int64_t>& channels, int classes,
                                 const UnitStyle& style)
    : TrunkDecoder(channels, style) {
  classify_ = register_module("seg_layer", plain_conv(channels.front(), classes));
}

at::Tensor SeparateDecoder::forward(const std::vector<at::Tensor>& features) const {
  at::Tensor x = features.back();
  for (int level = levels(); level > 0; --level) {
    const at::Tensor up = enter(level, x);
    x = leave(level, at::cat({up, features[static_cast<std::size_t>(level) - 1]}, 1));
  }
  return classify_->forward(x);
}

}  // namespace lacuna::models
