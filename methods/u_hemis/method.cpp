#include "methods/u_hemis/method.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "losses/precise.h"
#include "methods/shared/missing_features.h"

namespace lacuna::methods::u_hemis {

// Sums with a mask per sample and modality; a modality that no sample has does not enter the graph.
at::Tensor fuse_moments(const std::vector<at::Tensor>& features,
                        const std::vector<SubsetMask>& subsets) {
  const at::Tensor present =
      presence(subsets, static_cast<int>(features.size()), features.front().device())
          .to(features.front().scalar_type());
  const at::Tensor count = present.sum(1).view({-1, 1, 1, 1, 1});
  const auto sum = [&](const auto& term) {
    at::Tensor total;
    for (std::size_t m = 0; m < features.size(); ++m) {
      const auto has = [m](SubsetMask subset) {
        return data::contains(subset, static_cast<int>(m));
      };
      const auto having = std::count_if(subsets.begin(), subsets.end(), has);
      if (having == 0) continue;
      at::Tensor part = term(features[m]);
      if (having < static_cast<std::ptrdiff_t>(subsets.size())) {
        part = part * present.select(1, static_cast<std::int64_t>(m)).view({-1, 1, 1, 1, 1});
      }
      total = total.defined() ? total + part : part;
    }
    return total / count;
  };
  const at::Tensor mean = sum([](const at::Tensor& f) { return f; });
  // No gradient through the mean: the sum of f - mean is zero, so none is lost.
  const at::Tensor centre = mean.detach();
  const at::Tensor variance = sum([&](const at::Tensor& f) { return (f - centre).square(); });
  return at::cat({mean, variance}, 1);
}

Method::Method(const MethodSettings& settings)
    : options_(binding().parse(settings.options)),
      patch_(settings.patch.value_or(kHeteroPatch)),
      order_(settings.modalities, {"T1", "T1c", "T2", "FLAIR"}) {
  encoders_ = hetero_encoders(*module_, settings.modalities, settings.width, /*halved=*/true);
  auto fused = models::hetero_channels(settings.width);
  for (auto& channels : fused) channels *= 2;  // mean and variance
  decoder_ = module_->register_module("seg_decoder", std::make_shared<models::HeteroDecoder>(
                                                         fused, kHeteroClasses, settings.width));
}

Features Method::encode(const at::Tensor& image) {
  Features features;
  for (std::size_t m = 0; m < encoders_.size(); ++m) {
    for (at::Tensor& level :
         encoders_[m]->forward(image.narrow(1, static_cast<std::int64_t>(m), 1))) {
      features.push_back(std::move(level));
    }
  }
  return features;
}

at::Tensor Method::decode_each(const Features& features,
                               const std::vector<SubsetMask>& per_sample) const {
  std::vector<at::Tensor> fused;
  for (std::size_t level = 0; level < models::kHeteroLevels; ++level) {
    std::vector<at::Tensor> by_modality;
    for (std::size_t m = 0; m < encoders_.size(); ++m) {
      by_modality.push_back(features[m * models::kHeteroLevels + level]);
    }
    fused.push_back(fuse_moments(by_modality, per_sample));
  }
  return decoder_->forward(fused);
}

at::Tensor Method::decode(const Features& features, const std::vector<SubsetMask>& subsets) {
  const auto samples = static_cast<std::size_t>(features.front().size(0));
  std::vector<at::Tensor> decoded;
  for (const SubsetMask subset : subsets) {
    decoded.push_back(decode_each(features, std::vector<SubsetMask>(samples, subset)));
  }
  return at::stack(decoded);
}

at::Tensor Method::forward(const at::Tensor& image, SubsetMask subset) {
  return decode(encode(image), {subset})[0];
}

Loss Method::loss(const std::string&, const Batch& batch, const Progress&) {
  const at::Tensor logits = losses::precise(decode_each(encode(batch.image), batch.subsets.at(0)));
  const auto [cross_entropy, dice] =
      hetero_segmentation_loss(logits, batch.label, options_.dice_numerator);
  const at::Tensor decay = hetero_decay(*module_, options_.decay);
  return {cross_entropy + dice + decay,
          {{"cross_entropy", cross_entropy}, {"dice", dice}, {"decay", decay}},
          logits.detach()};
}

const OptionBinding<Options>& binding() {
  static const auto options =
      OptionBinding<Options>()
          .number("dice_numerator", &Options::dice_numerator, 1e-5,
                  "Added to the numerator of Dice; 0 in the graph of the released model.",
                  {.minimum = 0})
          .number("decay", &Options::decay, 1e-5,
                  "Weight decay: the mean over kernels of half of their squared norm.",
                  {.minimum = 0});
  return options;
}

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "u-hemis",
      .title = "Hetero-modal image segmentation in a U-Net",
      .source =
          "\"HeMIS: Hetero-Modal Image Segmentation\", MICCAI 2016, as the U-Net of \"Hetero-Modal "
          "Variational Encoder-Decoder for Joint Modality Completion and Segmentation\", MICCAI "
          "2019, arXiv 1907.11150; code ReubenDo/U-HVED, extensions/u_hemis",
      .idea =
          "Each modality has an encoder of its own. At every scale the features of the modalities "
          "that are there are merged by their mean and their variance, so any number of them can "
          "be given and nothing is imputed. One U-Net decoder segments from the merged features.",
      .output = "logits of background, necrosis, oedema, enhancing tumour (softmax follows)",
      .deviations =
          "Always: images are z-scored in the brain (published: histogram standardisation with "
          "landmarks first); windows overlap by a quarter and are blended (published: a border of "
          "10 voxels of each window is discarded); a resection cavity counts as background; the "
          "best checkpoint is chosen on validation cases (published: the last).",
      .options = binding().declared(),
      .run_defaults = R"({"train": {"steps": 60000, "batch": 1}})",
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
  };
  return entry;
}

}  // namespace lacuna::methods::u_hemis
