#include "methods/robust_mseg/network.h"

#include <ATen/ATen.h>
#include <torch/types.h>

#include "kernels/instance_norm.h"
#include "models/modality_names.h"
#include "models/width.h"

namespace lacuna::methods::robust_mseg {
namespace {

using models::ConvUnit;
using models::scaled;
using models::UnitStyle;

constexpr std::int64_t kCode = 8;
constexpr int kBlocks = 4;

// A convolution between mirrored borders, with a ReLU or alone.
std::shared_ptr<ConvUnit> conv(std::int64_t in, std::int64_t out, std::int64_t kernel,
                               bool activated, std::int64_t stride = 1) {
  const UnitStyle style{.slope = activated ? 0.0 : 1.0, .norm = models::UnitNorm::kNone};
  return std::make_shared<ConvUnit>(in, out, kernel, style, stride);
}

}  // namespace

StyleEncoder::StyleEncoder(std::int64_t code, double width) {
  std::int64_t in = 1;
  for (const std::int64_t channels : {32, 64, 128, 128, 128}) {
    const bool first = units_.empty();
    const std::int64_t out = scaled(channels, width);
    units_.push_back(register_module("c_" + std::to_string(units_.size()),
                                     conv(in, out, first ? 7 : 4, true, first ? 1 : 2)));
    in = out;
  }
  last_ = register_module("se_logit", conv(in, code, 1, false));
}

at::Tensor StyleEncoder::forward(const at::Tensor& image) const {
  at::Tensor x = image;
  for (const auto& unit : units_) x = unit->forward(x);
  return last_->forward(x.mean({2, 3, 4}, /*keepdim=*/true)).flatten(1);
}

// Samples are laid beside each other, so that each has a scale and shift of its own per channel.
at::Tensor adaptive_norm(const at::Tensor& x, const Style& style, const at::Tensor& residual) {
  const auto beside = [](const at::Tensor& each) {
    return each.reshape({1, each.size(0) * each.size(1), each.size(2), each.size(3), each.size(4)});
  };
  const at::Tensor scale = style.scale.flatten(), shift = style.shift.flatten();
  const at::Tensor y =
      residual.defined()
          ? kernels::instance_norm_add_act(beside(x), scale, shift, beside(residual), 1e-5, 1)
          : kernels::instance_norm_act(beside(x), scale, shift, 1e-5, 0);
  return y.reshape(x.sizes());
}

WholeNorm::WholeNorm(std::int64_t channels) {
  scale_ = register_parameter("weight", torch::ones({channels}));
  shift_ = register_parameter("bias", torch::zeros({channels}));
}

at::Tensor WholeNorm::forward(const at::Tensor& x) const {
  const at::Tensor one = x.reshape({x.size(0), 1, x.size(1) * x.size(2), x.size(3), x.size(4)});
  const at::Tensor y = kernels::instance_norm_act(one, {}, {}, 1e-12, 1).reshape(x.sizes());
  return at::relu(y * scale_.view({1, -1, 1, 1, 1}) + shift_.view({1, -1, 1, 1, 1}));
}

ImageDecoder::ImageDecoder(std::int64_t code, const std::vector<std::int64_t>& channels) {
  const std::int64_t wide = channels.back();
  const auto mlp = register_module("mlp", std::make_shared<torch::nn::Module>());
  for (const char* name : {"linear_0", "linear_1", "mu", "sigma"}) {
    const auto layer = mlp->register_module(name, std::make_shared<torch::nn::Module>());
    mlp_.push_back(layer->register_module(
        "linear", std::make_shared<models::Linear>(mlp_.empty() ? code : wide, wide)));
  }
  for (int i = 0; i < kBlocks; ++i) {
    const auto block =
        register_module("res_" + std::to_string(i), std::make_shared<torch::nn::Module>());
    blocks_.emplace_back(block->register_module("conv1", conv(wide, wide, 3, false)),
                         block->register_module("conv2", conv(wide, wide, 3, false)));
  }
  for (std::size_t i = 0; i + 1 < channels.size(); ++i) {
    const std::int64_t in = channels[channels.size() - 1 - i],
                       out = channels[channels.size() - 2 - i];
    enlarging_.emplace_back(register_module("conv_" + std::to_string(i), conv(in, out, 5, false)),
                            nullptr);
  }
  for (std::size_t i = 0; i + 1 < channels.size(); ++i) {
    enlarging_[i].second =
        register_module("layer_norm_" + std::to_string(i + 1),
                        std::make_shared<WholeNorm>(channels[channels.size() - 2 - i]));
  }
}

// Section 2.5.
Style ImageDecoder::style(const at::Tensor& code) const {
  const at::Tensor hidden = at::relu(mlp_[1]->forward(at::relu(mlp_[0]->forward(code))));
  return {mlp_[2]->forward(hidden), mlp_[3]->forward(hidden)};
}

at::Tensor ImageDecoder::forward(const at::Tensor& content, const Style& style) const {
  at::Tensor x = content;
  for (const auto& [first, second] : blocks_) {
    const at::Tensor inner = adaptive_norm(first->forward(x), style);
    x = adaptive_norm(second->forward(inner), style, x);
  }
  for (const auto& [unit, norm] : enlarging_) {
    x = norm->forward(unit->forward(models::enlarge_nearest(x)));
  }
  return x;
}

Network::Network(const std::vector<std::string>& modalities, int classes, double width,
                 bool shared_output)
    : GatedNetwork(modalities, classes, width) {
  const auto output = [&] { return conv(channels_.front(), 1, 7, false); };
  for (const std::string& modality : modalities) {
    const std::string name = models::lower_modality_name(modality);
    styles_.push_back(register_module("se_" + name, std::make_shared<StyleEncoder>(kCode, width)));
    images_.push_back(
        register_module("image_de_" + name, std::make_shared<ImageDecoder>(kCode, channels_)));
    if (!shared_output) outputs_.push_back(register_module("G_logit_" + name, output()));
  }
  if (shared_output) outputs_.push_back(register_module("G_logit", output()));
}

Network::Rebuilt Network::rebuild(const at::Tensor& content, const at::Tensor& own,
                                  std::size_t modality) const {
  const ImageDecoder& decoder = *images_[modality];
  Rebuilt rebuilt;
  rebuilt.code = styles_[modality]->forward(own);
  rebuilt.style = decoder.style(rebuilt.code);
  const auto& output = outputs_[outputs_.size() == 1 ? 0 : modality];
  rebuilt.image = output->forward(decoder.forward(content, rebuilt.style));
  return rebuilt;
}

}  // namespace lacuna::methods::robust_mseg
