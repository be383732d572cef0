#include "models/modality_encoder.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace lacuna::models {

ModalityEncoder::ModalityEncoder(const std::vector<std::int64_t>& channels, const UnitStyle& style,
                                 std::int64_t image_channels) {
  for (std::size_t level = 0; level < channels.size(); ++level) {
    const std::int64_t in = level == 0 ? image_channels : channels[level - 1],
                       out = channels[level];
    for (int c = 1; c <= 3; ++c) {
      const std::string name = "e" + std::to_string(level + 1) + "_c" + std::to_string(c);
      if (level == 0 && c == 1 && style.norm_first) {
        first_ = register_module(name, plain_conv(in, out, 3, style.border));
        units_.push_back(nullptr);
        continue;
      }
      const std::int64_t stride = level > 0 && c == 1 ? 2 : 1;
      units_.push_back(register_module(
          name, std::make_shared<ConvUnit>(c == 1 ? in : out, out, 3, style, stride)));
    }
  }
}

std::vector<at::Tensor> ModalityEncoder::forward(const at::Tensor& image) const {
  std::vector<at::Tensor> levels;
  at::Tensor x = image;
  for (std::size_t i = 0; i < units_.size(); i += 3) {
    const at::Tensor entered = units_[i] ? units_[i]->forward(x) : first_->forward(x);
    x = entered + units_[i + 2]->forward(units_[i + 1]->forward(entered));
    levels.push_back(x);
  }
  return levels;
}

std::vector<std::int64_t> doubling_channels(std::int64_t base, int levels, double width,
                                            std::int64_t multiple) {
  std::vector<std::int64_t> channels;
  for (int level = 0; level < levels; ++level) {
    const double wanted = static_cast<double>(base << level) * width;
    const std::int64_t times = std::llround(wanted / static_cast<double>(multiple));
    channels.push_back(multiple * std::max<std::int64_t>(1, times));
  }
  return channels;
}

}  // namespace lacuna::models
