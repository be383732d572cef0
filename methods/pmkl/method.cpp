#include "methods/pmkl/method.h"

#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "base/error.h"
#include "losses/class_sums.h"
#include "losses/precise.h"
#include "losses/privileged_distillation.h"
#include "methods/pmkl/embeddings.h"
#include "methods/shared/availability.h"
#include "methods/shared/extent_check.h"
#include "methods/shared/zero_fill.h"
#include "models/initialisation.h"

namespace lacuna::methods::pmkl {
namespace {

using losses::precise;

constexpr std::int64_t kEpochs = 200;  // published, of each stage
constexpr const char* kTeacher = "teacher";
constexpr const char* kStudent = "student";

// N, 1 where the case has every modality; undefined: all do.
at::Tensor complete_ones(const Batch& batch) {
  const std::vector<std::int64_t> samples = complete_samples(batch);
  const std::int64_t all = batch.image.size(0);
  if (static_cast<std::int64_t>(samples.size()) == all) return {};
  at::Tensor ones = at::zeros({all}, at::kFloat);
  for (const std::int64_t n : samples) ones[n] = 1;
  return ones.to(batch.image.options());
}

}  // namespace

Method::Method(const MethodSettings& settings)
    : options_(binding().parse(settings.options)),
      modalities_(settings.modalities),
      order_(settings.modalities, rfnet_order()),
      patch_(settings.patch.value_or(kGatedPatch)),
      map_(settings.input_map) {
  require_extent(patch_, extent_multiple(), "data.patch", kGatedDeepest);
  if (options_.subset) serves_ = modalities_.parse(*options_.subset);
  const int kept = serves_ ? data::count(*serves_) : 0;
  input_ = options_.input.value_or(kept == 1 ? StudentInput::kReplicate : StudentInput::kZeros);
  if (input_ == StudentInput::kReplicate && kept != 1) {
    throw_error<ConfigError>(
        "method_options.student_input: replicate needs a student of one modality, as in "
        "method_options.subset=T1c; subset is {}",
        serves_ ? modalities_.format(*serves_) : "null");
  }
  if (input_ == StudentInput::kChannels && !serves_) {
    throw_error<ConfigError>(
        "method_options.student_input: channels needs method_options.subset, whose modalities "
        "they are; without it zeros stand for what is missing");
  }
  const int classes = options_.classes();
  teacher_ = module_->register_module(
      kTeacher, std::make_shared<models::GatedNetwork>(order_.names(), classes, settings.width));
  if (teaches_only()) {
    if (serves_) {
      throw_error<ConfigError>(
          "method_options.subset is {}, but with teacher=alone there is no student that it could "
          "be for; the teacher sees all modalities",
          *options_.subset);
    }
    serves_ = modalities_.full();
    return;
  }
  student_ = module_->register_module(
      kStudent,
      std::make_shared<Student>(input_ == StudentInput::kChannels ? kept : modalities_.size(),
                                classes, settings.width));
  if (options_.contrastive_weight == 0) return;
  const auto head = [&](const char* name) {
    return module_->register_module(
        name, std::make_shared<EmbeddingHead>(teacher_->channels().front(), patch_,
                                              options_.global_pool));
  };
  student_head_ = head("metric_prs");
  teacher_head_ = head("metric_abs");
}

void Method::initialise() { models::initialise_gated(*module_, options_.glorot_bias); }

std::vector<std::string> Method::given_tensors() const {
  if (options_.teacher == Teacher::kGiven) return {"teacher."};
  return {};
}

std::vector<ParameterGroup> Method::groups() {
  std::vector<ParameterGroup> groups = kernels_and_rest(*module_, kTeacher, {"teacher."});
  if (student_) {
    const auto students =
        kernels_and_rest(*module_, kStudent, {"student.", "metric_prs.", "metric_abs."});
    groups.insert(groups.end(), students.begin(), students.end());
  }
  return groups;
}

// Decay of kernels alone, the heads' included (card, section 4). The teacher's recipe is not
// published; it is the student's (section 9.1).
std::vector<Stage> Method::stages(std::int64_t steps) const {
  const auto stage = [&](const std::string& name, std::int64_t length, Json subsets) {
    OptimizerSpec kernels{.kind = OptimizerSpec::Kind::kSgd,
                          .learning_rate = 1e-3,
                          .momentum = 0.9,
                          .weight_decay = 1e-5};
    OptimizerSpec rest = kernels;
    rest.weight_decay = 0;
    const ScheduleSpec poly = gated_schedule(length, kEpochs);
    return Stage{
        .name = name,
        .steps = length,
        .subsets = std::move(subsets),
        .phases = {{.name = name,
                    .trains = {{name + "_kernels", kernels, poly}, {name + "_rest", rest, poly}},
                    .joint = !options_.local_sums}}};
  };
  Json subsets = {{"policy", "uniform"}, {"granularity", "sample"}};
  if (serves_) subsets = {{"policy", "fixed"}, {"subset", modalities_.format(*serves_)}};
  const Json full = {{"policy", "full"}};
  if (teaches_only()) return {stage(kTeacher, steps, full)};
  if (options_.teacher == Teacher::kGiven) return {stage(kStudent, steps, subsets)};
  return {stage(kTeacher, steps / 2, full), stage(kStudent, steps - steps / 2, subsets)};
}

models::MaskDecoder::Output Method::teach(const at::Tensor& image,
                                          const std::vector<SubsetMask>& available,
                                          bool training) const {
  const at::Tensor ordered = order_.image(map_ ? map_->image(image, available, training) : image);
  std::vector<models::GatedShares> shares;
  for (int m = 0; m < order_.size(); ++m) {
    shares.push_back(teacher_->shares(ordered.narrow(1, m, 1), static_cast<std::size_t>(m)));
  }
  return teacher_->decode(teacher_->fuse(shares, {}));
}

at::Tensor Method::student_input(const at::Tensor& image,
                                 const std::vector<SubsetMask>& subsets) const {
  const at::Tensor filled = zero_fill(image, subsets);
  if (input_ == StudentInput::kZeros) return order_.image(filled);
  std::vector<at::Tensor> channels;
  for (const int m : order_.channels()) {
    if (data::contains(*serves_, m)) channels.push_back(filled.narrow(1, m, 1));
  }
  const at::Tensor own = at::cat(channels, 1);
  return input_ == StudentInput::kChannels ? own : own.repeat({1, image.size(1), 1, 1, 1});
}

Loss Method::loss(const std::string& phase, const Batch& batch, const Progress&) {
  return phase == kTeacher ? teacher_loss(batch) : student_loss(batch);
}

Loss Method::teacher_loss(const Batch& batch) const {
  const at::Tensor logits =
      precise(teach(batch.image, available_of(batch), /*training=*/true).logits);
  const auto targets = losses::class_targets(batch.label, options_.classes(), logits.scalar_type());
  at::Tensor sums = losses::class_sums(logits.softmax(1), targets, complete_ones(batch));
  if (batch.over_ranks && !options_.local_sums) sums = batch.over_ranks(sums);
  const auto [cross_entropy, dice] = losses::class_losses(sums);
  return {cross_entropy + dice, {{"ce", cross_entropy}, {"dice", dice}}, logits.detach()};
}

Loss Method::student_loss(const Batch& batch) const {
  models::MaskDecoder::Output taught;
  {
    // Also where gradients are asked for every parameter: the teacher is fixed.
    const torch::NoGradGuard no_grad;
    taught = teach(batch.image, available_of(batch), /*training=*/false);
  }
  const auto learned = student_->forward(student_input(batch.image, batch.subsets.at(0)));
  const at::Tensor logits = precise(learned.logits), complete = complete_ones(batch);
  const auto targets = losses::class_targets(batch.label, options_.classes(), logits.scalar_type());
  // Everything that ranks add up, in one row: sums of classes, sums of trust, embeddings.
  const at::Tensor classes = losses::class_sums(logits.softmax(1), targets);
  const at::Tensor trusted = losses::trusted_sums(
      losses::trusted_distillation(logits, precise(taught.logits), targets, options_.temperature),
      complete);
  std::vector<at::Tensor> own = {classes.flatten(), trusted};
  if (student_head_) {
    own.push_back(embedding_rows(student_head_->forward(learned.features),
                                 teacher_head_->forward(taught.features), complete, batch,
                                 options_.local_sums)
                      .flatten());
  }
  at::Tensor all = at::cat(own);
  if (batch.over_ranks && !options_.local_sums) all = batch.over_ranks(all);
  const auto [cross_entropy, dice] =
      losses::class_losses(all.narrow(0, 0, classes.numel()).view_as(classes));
  const at::Tensor distilled =
      losses::trusted_mean(all.narrow(0, classes.numel(), 2), options_.trust_epsilon);
  Loss loss{cross_entropy + dice + options_.pixel_weight * distilled,
            {{"ce", cross_entropy}, {"dice", dice}, {"pixel_kd", distilled}},
            logits.detach()};
  if (student_head_) {
    const at::Tensor contrast =
        contrast_of_rows(all.slice(0, classes.numel() + 2), options_.distance_epsilon);
    loss.parts.emplace_back("contrastive", contrast);
    loss.total = loss.total + options_.contrastive_weight * contrast;
  }
  return loss;
}

// encode() and decode() stay the default: modalities meet in the student's first convolution.
at::Tensor Method::forward(const at::Tensor& image, SubsetMask subset) {
  if (serves_ && *serves_ != subset) {
    throw_error<ConfigError>(
        "this network was made for {} ({}) and serves no other subset; asked "
        "for was {}",
        modalities_.format(*serves_),
        teaches_only() ? "method_options.teacher=alone" : "method_options.subset",
        modalities_.format(subset));
  }
  const std::vector<SubsetMask> subsets(static_cast<std::size_t>(image.size(0)), subset);
  if (teaches_only()) return teach(image, subsets, /*training=*/false).logits;
  return student_->forward(student_input(image, subsets)).logits;
}

}  // namespace lacuna::methods::pmkl
