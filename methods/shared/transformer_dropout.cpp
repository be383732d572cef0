#include "methods/shared/transformer_dropout.h"

#include "methods/shared/sample_keys.h"

namespace lacuna::methods {

TransformerDropout::TransformerDropout(bool on, const Batch& batch, const Progress& progress,
                                       std::uint32_t first, int count)
    : count_(count) {
  if (!on || batch.sample_index.empty()) return;
  for (std::uint32_t use = 0; use < static_cast<std::uint32_t>(count); ++use) {
    dropout_.emplace_back(sample_keys(batch, progress, first + use));
  }
}

std::vector<models::ForwardMode> TransformerDropout::modes() {
  std::vector<models::ForwardMode> modes(static_cast<std::size_t>(count_));
  for (std::size_t i = 0; i < dropout_.size(); ++i) modes[i].dropout = &dropout_[i];
  return modes;
}

}  // namespace lacuna::methods
