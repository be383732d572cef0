#include "methods/mctseg/method.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include "losses/precise.h"
#include "methods/shared/class_output_loss.h"
#include "methods/shared/extent_check.h"
#include "methods/shared/transformer_dropout.h"
#include "models/modality_names.h"

namespace lacuna::methods::mctseg {
namespace {

constexpr data::Extent kPublishedPatch{128, 128, 128};
constexpr std::int64_t kEpochs = 1000;  // published
constexpr int kClasses = 4;
constexpr std::size_t kFirstTaught = 2;  // levels 3 to 5 are compared with the teacher's
// Norms need two voxels, and the deepest maps have a sixteenth of the extent.
constexpr std::int64_t kDeepestExtent = 2;

}  // namespace

Method::Method(const MethodSettings& settings)
    : Method(settings, binding().parse(settings.options)) {}

Method::Method(const MethodSettings& settings, const Options& options)
    : BrainBoxMethod(settings, {.patch = kPublishedPatch,
                                .epochs = kEpochs,
                                .local_dice = options.local_dice,
                                .et_min = options.et_min}),
      options_(options) {
  require_extent(patch(), extent_multiple(), "data.patch", kDeepestExtent);
  network_ = std::make_shared<Network>(Shape{.modalities = order().names(),
                                             .classes = kClasses,
                                             .width = settings.width,
                                             .extent = patch(),
                                             .positions = options_.positions,
                                             .aligned_tokens = options_.aligned_tokens});
}

// Stored by the published code and never run.
std::vector<std::string> Method::ignored_official_names() const {
  std::vector<std::string> names = {"encode_conv.", "decoder_all."};
  for (const std::string& modality : order().names()) {
    const std::string name = models::published_modality_name(modality);
    names.push_back(name + "_trans.cross_attention_list.0.fn.byconv.");
    if (!options_.positions) names.push_back(name + "_pos");
  }
  return names;
}

at::Tensor feature_distance(const std::vector<at::Tensor>& teacher,
                            const std::vector<std::vector<at::Tensor>>& students,
                            const at::Tensor& included) {
  at::Tensor sum;
  for (std::size_t level = kFirstTaught; level < teacher.size(); ++level) {
    for (std::size_t m = 0; m < students.size(); ++m) {
      const at::Tensor each =
          (losses::precise(teacher[level]) - losses::precise(students[m][level]))
              .abs()
              .flatten(1)
              .mean(1);
      const at::Tensor value = models::kept_where(each, included, m).mean();
      sum = sum.defined() ? sum + value : value;
    }
  }
  return sum;
}

Loss Method::loss(const std::string&, const Batch& batch, const Progress& progress) {
  require_made_for(batch.image, patch(), "input");
  const at::Tensor image = order().image(batch.image);
  const auto modalities = static_cast<std::size_t>(order().size());
  TransformerDropout dropout(options_.dropout, batch, progress, /*first=*/0, order().size() + 1);
  const std::vector<models::ForwardMode> modes = dropout.modes();
  std::vector<std::vector<at::Tensor>> levels;
  std::vector<models::Contribution> contributions;
  std::vector<at::Tensor> separate;
  for (std::size_t m = 0; m < modalities; ++m) {
    const at::Tensor one = image.narrow(1, static_cast<std::int64_t>(m), 1);
    const Network::Encoded encoded = network_->encode(one, m, modes[m]);
    contributions.push_back(network_->contribution(encoded, m));
    separate.push_back(network_->separate(encoded, m));
    levels.push_back(encoded.levels);
  }
  const auto fused = network_->decode(contributions, order().mask(batch.subsets.at(0), batch.image),
                                      /*deep=*/true, modes.back());
  std::vector<at::Tensor> teacher = network_->encode_all(image);

  // The teacher sees every image: of a case that lacks one it is none. What the subset lacks
  // counts.
  at::Tensor complete, available;
  if (!batch.available.empty()) {
    available = order().mask(batch.available, batch.image);
    complete = available.amin(1);
    available = available * complete.unsqueeze(1);
  }
  Loss loss = class_output_loss(
      {OutputGroup{"fuse", {{class_probability(fused.logits), {}}}},
       OutputGroup{"all", {{class_probability(network_->separate_all(teacher)), complete}}},
       deep_group("aux", fused.deep), separate_group("mod", separate, order(), batch)},
      batch, options_.local_dice);
  if (options_.stop_at_teacher) {
    for (at::Tensor& level : teacher) level = level.detach();
  }
  loss.parts.emplace_back("l1", feature_distance(teacher, levels, available));
  for (const auto& [name, value] : loss.parts) {
    loss.total = loss.total.defined() ? loss.total + value : value;
  }
  loss.output = fused.logits.detach();
  return loss;
}

std::vector<models::Contribution> Method::contributions(const at::Tensor& image,
                                                        const std::vector<bool>& present) const {
  const at::Tensor ordered = order().image(image);
  std::vector<models::Contribution> given(present.size());
  for (std::size_t m = 0; m < given.size(); ++m) {
    if (!present[m]) continue;
    const at::Tensor one = ordered.narrow(1, static_cast<std::int64_t>(m), 1);
    given[m] = network_->contribution(network_->encode(one, m, {}), m);
  }
  return given;
}

at::Tensor Method::forward(const at::Tensor& image, SubsetMask subset) {
  require_made_for(image, patch(), "input");
  const auto given = contributions(image, order().present(subset));
  return network_->decode(given, {}, /*deep=*/false, {}).logits;
}

Features Method::encode(const at::Tensor& image) {
  const torch::NoGradGuard no_grad;
  require_made_for(image, patch(), "window");
  return models::listed(
      contributions(image, std::vector<bool>(static_cast<std::size_t>(order().size()), true)));
}

at::Tensor Method::decode(const Features& features, const std::vector<SubsetMask>& subsets) {
  const torch::NoGradGuard no_grad;
  std::vector<at::Tensor> outputs;
  for (const SubsetMask subset : subsets) {
    const auto given = models::unlisted(features, order().present(subset));
    outputs.push_back(network_->decode(given, {}, /*deep=*/false, {}).logits);
  }
  return at::stack(outputs);
}

}  // namespace lacuna::methods::mctseg
