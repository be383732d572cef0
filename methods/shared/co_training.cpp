#include "methods/shared/co_training.h"

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/random.h"
#include "losses/precise.h"
#include "losses/ramp.h"
#include "losses/region_targets.h"
#include "losses/squared_dice.h"
#include "methods/shared/availability.h"
#include "methods/shared/zero_fill.h"
#include "models/forward_mode.h"

namespace lacuna::methods {
namespace {

constexpr data::Extent kPublishedPatch{160, 192, 128};
constexpr std::int64_t kBackground = 3;  // channel

}  // namespace

std::vector<data::Region> CoTraining::channels(bool region_targets) {
  const std::uint32_t background = 1, netc = 2, snfh = 4, et = 8;
  if (region_targets) {
    return {{"WT", netc | snfh | et}, {"TC", netc | et}, {"ET", et}, {"BG", background}};
  }
  return {{"ED", snfh}, {"NET", netc}, {"ET", et}, {"BG", background}};
}

CoTraining::CoTraining(const MethodSettings& settings, const CoTrainingOptions& options,
                       const std::vector<std::string>& order)
    : modalities_(settings.modalities),
      patch_(settings.patch.value_or(kPublishedPatch)),
      width_(settings.width),
      common_(options),
      channels_(channels(options.region_targets)),
      order_(modalities_, order) {
  if (options.subset) serves_ = modalities_.parse(*options.subset);
}

// A run of E epochs: lr_e = 1e-4 (1 - e/E)^0.9; the published code steps the schedule before the
// first epoch, which is (e + 1)/E.
std::vector<Stage> CoTraining::stages(std::int64_t steps) const {
  const OptimizerSpec adam{.learning_rate = 1e-4, .weight_decay = 1e-5};
  const ScheduleSpec poly{.kind = ScheduleSpec::Kind::kPoly,
                          .power = 0.9,
                          .horizon = steps,
                          .per_epoch = true,
                          .hold_end = common_.shifted_rate};
  const OptimizerSpec judge{
      .learning_rate = 1e-4, .beta2 = 0.99, .fresh_each_step = common_.reset_discriminator};
  Stage stage{.name = "train",
              .steps = steps,
              .subsets = {{"policy", "uniform"}, {"granularity", "batch"}},
              .phases = {{.name = "joint", .trains = {{kCoTrainedNetworks, adam, poly}}}}};
  if (serves_) stage.subsets = {{"policy", "fixed"}, {"subset", modalities_.format(*serves_)}};
  const std::vector<std::string> groups = judges();
  if (!groups.empty()) {
    Phase phase{.name = "discriminator"};
    for (const std::string& group : groups) phase.trains.push_back({group, judge, {}});
    stage.phases.push_back(phase);
  }
  return {stage};
}

// Published: one crop at a uniform corner, mirrored along each axis half the time, nothing else.
// The published code sees the axes of the file, of which the last are axial slices.
data::DataRecipe CoTraining::recipe() const {
  data::DataRecipe recipe;
  recipe.patch = patch_;
  recipe.axes = {1, 2, 0};
  recipe.normalisation = data::Normalisation::kMinMax;
  recipe.crop.exclude_last = common_.official;
  recipe.augmentation.mirror_probability = {0.5, 0.5, 0.5};
  return recipe;
}

InferenceRecipe CoTraining::inference() const {
  InferenceRecipe recipe;
  recipe.activation = InferenceRecipe::Activation::kSigmoid;
  recipe.patch = patch_;
  recipe.overlap = 0.5;
  recipe.centre_crop = common_.centre_crop;
  recipe.threshold = common_.threshold;
  // Painted one over the other: oedema, necrosis, enhancing tumour. WT, TC and ET are the unions of
  // their channels whichever way a voxel with several is written.
  using data::Tissue;
  recipe.channels = {{0, Tissue::kOedema}, {1, Tissue::kNecrosis}, {2, Tissue::kEnhancing}};
  return recipe;
}

CoTraining::Complete CoTraining::complete_of(const Batch& batch) {
  Complete complete;
  complete.samples = complete_samples(batch);
  complete.share =
      static_cast<double>(complete.samples.size()) / static_cast<double>(batch.image.size(0));
  if (!complete.none()) complete.batch = samples_of(batch, complete.samples);
  return complete;
}

at::Tensor CoTraining::Complete::of(const at::Tensor& all) const {
  if (share == 1) return all;
  return all.index_select(0, at::tensor(samples, at::kLong).to(all.device()));
}

at::Tensor CoTraining::Complete::mean(const std::function<at::Tensor()>& term,
                                      const at::Tensor& like) const {
  return none() ? at::zeros({}, like.options()) : share * term();
}

CoTraining::Terms CoTraining::common_terms(const Complete& complete, const at::Tensor& full,
                                           const at::Tensor& missing, const at::Tensor& label,
                                           bool softmax_kl) const {
  const std::int64_t learned = common_.background ? kBackground + 1 : kBackground;
  const auto part = [learned](const at::Tensor& x) { return x.narrow(1, 0, learned); };
  const at::Tensor target = part(losses::region_targets(label, channels_, missing.scalar_type()));
  const auto dice_full = [&] {
    return losses::squared_dice(part(full), complete.of(target)).sum();
  };
  const auto consistency = [&] {
    const at::Tensor beside = complete.of(missing);
    if (softmax_kl) {
      const at::Tensor q = full.log_softmax(1), q_missing = beside.log_softmax(1);
      return (q.exp() * (q - q_missing)).mean();
    }
    // The sum over channels of the mean over voxels.
    return at::mse_loss(part(full), part(beside)) * static_cast<double>(learned);
  };
  return {complete.mean(dice_full, missing), losses::squared_dice(part(missing), target).sum(),
          complete.mean(consistency, missing)};
}

at::Tensor CoTraining::weighted(const Terms& terms, const Progress& progress) const {
  return (1 - common_.student_weight) * terms.dice_full +
         common_.student_weight * terms.dice_missing +
         losses::gaussian_ramp(progress.epoch(), 20, 10) * terms.consistency;
}

std::int64_t CoTraining::missing_channels() const {
  return serves_ ? data::count(*serves_) : modalities_.size();
}

at::Tensor CoTraining::missing_input(const at::Tensor& image,
                                     const std::vector<SubsetMask>& subsets) const {
  const at::Tensor filled = zero_fill(image, subsets);
  if (!serves_) return order_.image(filled);
  std::vector<at::Tensor> channels;
  for (const int m : order_.channels()) {
    if (data::contains(*serves_, m)) channels.push_back(filled.narrow(1, m, 1));
  }
  return at::cat(channels, 1);
}

models::SampleDropout CoTraining::dropout_of(const Batch& batch, const Progress& progress,
                                             std::uint32_t network) const {
  std::vector<std::uint64_t> keys;
  for (std::size_t n = 0; n < static_cast<std::size_t>(batch.image.size(0)); ++n) {
    const std::uint64_t index = n < batch.sample_index.size() ? batch.sample_index[n] : n;
    Stream stream(progress.seed, Purpose::kMethod, index, network);
    const std::uint64_t high = stream.next();
    keys.push_back(high << 32 | stream.next());
  }
  return models::SampleDropout(std::move(keys));
}

// encode() and decode() stay the default: modalities meet in the first convolution.
at::Tensor CoTraining::forward(const at::Tensor& image, SubsetMask subset) {
  if (serves_ && *serves_ != subset) {
    throw_error<ConfigError>(
        "this network was made for {} (method_options.subset) and serves no other subset; asked "
        "for was {}",
        modalities_.format(*serves_), modalities_.format(subset));
  }
  Batch batch;
  batch.image = image;
  auto dropout = dropout_of(batch, {}, 1);
  const models::ForwardMode mode{
      .dropout = common_.evaluation_dropout && common_.dropout ? &dropout : nullptr};
  const std::vector<SubsetMask> subsets(static_cast<std::size_t>(image.size(0)), subset);
  return segment(missing_input(image, subsets), mode);
}

}  // namespace lacuna::methods
