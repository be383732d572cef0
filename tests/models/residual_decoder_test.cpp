// The decoder that ShaSpec and MCKD share.
#include "models/residual_decoder.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "models/initialisation.h"
#include "models/residual_encoder.h"

namespace lacuna::models {
namespace {

constexpr double kWidth = 0.0625;
constexpr std::int64_t kModalities = 3;

std::shared_ptr<ResidualDecoder> make(double width = kWidth) {
  torch::manual_seed(1);
  auto decoder = std::make_shared<ResidualDecoder>(kModalities, /*outputs=*/3, width);
  initialise_fan_out(*decoder);
  decoder->to(at::kDouble);
  return decoder;
}

// L0..L3 of a 16 x 32 x 64 window, modalities side by side.
std::array<at::Tensor, 4> random_skips() {
  const auto c = backbone_channels(kWidth);
  return {torch::randn({2, kModalities * c[0], 16, 16, 32}, at::kDouble),
          torch::randn({2, kModalities * c[1], 8, 8, 16}, at::kDouble),
          torch::randn({2, kModalities * c[2], 4, 4, 8}, at::kDouble),
          torch::randn({2, kModalities * c[3], 2, 2, 4}, at::kDouble)};
}

TEST(ResidualDecoder, ReturnsTheWindowsSize) {
  const torch::NoGradGuard no_grad;
  const at::Tensor bottleneck =
      torch::randn({2, kModalities * bottleneck_channels(kWidth), 1, 1, 2}, at::kDouble);
  const at::Tensor logits = make()->forward(bottleneck, random_skips());
  EXPECT_EQ(logits.sizes(), (at::IntArrayRef{2, 3, 16, 32, 64}));
}

TEST(ResidualDecoder, AShortcutIsTheSumOfItsModalitiesShares) {
  const torch::NoGradGuard no_grad;
  const auto decoder = make();
  const auto skips = random_skips();
  for (int level = 0; level < 4; ++level) {
    const at::Tensor whole = decoder->shortcut(level, skips[level]);
    const auto weights = decoder->shortcut_weights(level);
    const auto parts = skips[level].chunk(kModalities, 1);
    at::Tensor sum = decoder->shortcut_part(level, parts[0], weights[0]);
    for (std::size_t m = 1; m < parts.size(); ++m) {
      sum = sum + decoder->shortcut_part(level, parts[m], weights[m]);
    }
    const at::Tensor split = decoder->shortcut_from_sum(level, sum);
    EXPECT_LT((split - whole).abs().max().item<double>(), 1e-10) << "level " << level;
  }
}

// ShaSpec: a transposed convolution counts its input channels, so at width 1 with four
// modalities stage 3 has 1024 * 8 and standard deviation 1/64; the classifier has 3.
TEST(ResidualDecoder, InitialWeightsHaveThePublishedDeviations) {
  torch::manual_seed(1);
  ResidualDecoder decoder(/*modalities=*/4, /*outputs=*/3, /*width=*/1);
  initialise_fan_out(decoder);
  const auto named = decoder.named_parameters();
  const auto deviation = [&](const char* name) { return named[name].std().item<double>(); };
  EXPECT_NEAR(deviation("transposeconv_stage3.weight"), 0.015625, 1e-4);
  EXPECT_NEAR(deviation("cls_conv.0.weight"), 0.8165, 0.2);  // 96 numbers
  EXPECT_EQ(named["stage2_de.norm1.weight"].min().item<double>(), 1);
  EXPECT_EQ(named["stage2_de.norm1.bias"].abs().max().item<double>(), 0);
}

TEST(ResidualDecoder, BothLayoutsGiveTheSameOutput) {
  const torch::NoGradGuard no_grad;
  const auto decoder = make();
  auto skips = random_skips();
  const at::Tensor bottleneck =
      torch::randn({2, kModalities * bottleneck_channels(kWidth), 1, 1, 2}, at::kDouble);
  const at::Tensor expected = decoder->forward(bottleneck, skips);
  for (at::Tensor& skip : skips) skip = skip.contiguous(at::MemoryFormat::ChannelsLast3d);
  const at::Tensor other =
      decoder->forward(bottleneck.contiguous(at::MemoryFormat::ChannelsLast3d), skips);
  EXPECT_LT((other - expected).abs().max().item<double>(), 1e-9 * expected.std().item<double>());
}

}  // namespace
}  // namespace lacuna::models
