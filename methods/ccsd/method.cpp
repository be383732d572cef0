#include "methods/ccsd/method.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <torch/utils.h>

#include "base/random.h"
#include "losses/feature_alignment.h"
#include "losses/modality_classification.h"
#include "methods/shared/availability.h"
#include "methods/shared/extent_check.h"
#include "methods/shared/missing_features.h"
#include "methods/shared/region_loss.h"

namespace lacuna::methods::ccsd {
namespace {

constexpr const char* kNetwork = "network";

data::Extent extent_of(const at::Tensor& image) {
  return {image.size(2), image.size(3), image.size(4)};
}

// Every set of `size` modalities out of `whole`, in the order of their bits.
std::vector<SubsetMask> sets_of(SubsetMask whole, int size) {
  std::vector<SubsetMask> result;
  for (SubsetMask set = 1; set <= whole; ++set) {
    if ((set & ~whole) == 0 && data::count(set) == size) result.push_back(set);
  }
  return result;
}

at::Tensor rows_of(const at::Tensor& maps, const std::vector<std::int64_t>& rows) {
  return maps.index_select(0, at::tensor(rows, at::kLong).to(maps.device()));
}

}  // namespace

Method::Method(const MethodSettings& settings)
    : modalities_(settings.modalities),
      options_(binding().parse(settings.options)),
      network_(std::make_shared<models::SharedSpecificNetwork>(
          settings.modalities, static_cast<int>(published_regions().size()), settings.width,
          models::SharedSpecificShape{.classifier = options_.domain_weight > 0,
                                      .compose_kernel = options_.compose_kernel})),
      // Features of a window: those of the decoder, the fused ones, that of the zero image.
      subset_decoder_(*network_, [fill = options_.fill](const std::vector<at::Tensor>& features,
                                                        const std::vector<SubsetMask>& subsets) {
        const at::Tensor& fused = features[features.size() - 2];
        if (fill != Fill::kZeroShared) {
          const std::vector<int> donors = first_available(subsets);
          return fill_slots(features.front(), fused, subsets,
                            fill == Fill::kFirst ? &donors : nullptr);
        }
        at::Tensor here = presence(subsets, static_cast<int>(fused.size(1)), fused.device());
        while (here.dim() < fused.dim()) here = here.unsqueeze(-1);
        return at::where(here, fused, features.back());
      }) {}

std::vector<std::string> Method::ignored_official_names() const {
  if (options_.domain_weight > 0) return {};
  return {"dom_classifier."};
}

std::vector<ParameterGroup> Method::groups() {
  ParameterGroup network{kNetwork, {}};
  for (const auto& item : network_->named_parameters()) network.parameters.push_back(item.key());
  return {network};
}

// Paper: Adam, 1e-2, cosine annealing. Its length is not credible (docs/methods/ccsd.md), and a
// rate as high as this needs the warm-up, which is ours.
std::vector<Stage> Method::stages(std::int64_t steps) const {
  const OptimizerSpec adam{
      .kind = OptimizerSpec::Kind::kAdam, .learning_rate = 1e-2, .clip_norm = options_.clip_norm};
  const ScheduleSpec cosine{.kind = ScheduleSpec::Kind::kCosine,
                            .horizon = steps,
                            .warmup = std::min<std::int64_t>(500, steps / 10)};
  return {{.name = "train",
           .steps = steps,
           .subsets = {{"policy", "cardinality"}, {"granularity", "batch"}},
           .phases = {{.name = "train", .trains = {{kNetwork, adam, cosine}}}}}};
}

void Method::initialise() {
  network_->initialise();
  invalidate_evaluation_cache();
}

int Method::drawn_size(int modalities, const Progress& progress) {
  if (modalities < 2) return 0;
  Stream stream(progress.seed, Purpose::kMethod, static_cast<std::uint64_t>(progress.step), 1);
  return 1 + static_cast<int>(stream.below(static_cast<std::uint64_t>(modalities - 1)));
}

// The mean over the subsets that are judged. Where a case lacks what a subset names, it is judged
// on what is left, and on all it has when nothing is.
Loss Method::segmentation(const SubsetFeatures& features, const Batch& batch, int size) const {
  const std::vector<SubsetMask> available = available_of(batch);
  const std::vector<SubsetMask>& drawn = batch.subsets.at(0);
  std::vector<std::vector<SubsetMask>> judged;
  const auto of_each = [&](SubsetMask set) {
    std::vector<SubsetMask> each;
    for (const SubsetMask has : available) each.push_back((set & has) != 0 ? set & has : has);
    judged.push_back(each);
  };
  switch (options_.segmented) {
    case Segmented::kFullAndDrawn:
      judged = {available};
      if (drawn != available) judged.push_back(drawn);
      break;
    case Segmented::kDrawn:
      judged = {drawn};
      break;
    case Segmented::kLevel:
      for (const SubsetMask set : sets_of(modalities_.full(), std::max(size, 1))) of_each(set);
      break;
    case Segmented::kAll:
      for (SubsetMask set = 1; set <= modalities_.full(); ++set) of_each(set);
      break;
  }
  Loss loss;
  for (std::size_t i = 0; i < judged.size(); ++i) {
    Rows rows;
    for (std::size_t n = 0; n < judged[i].size(); ++n) {
      rows.at(static_cast<std::int64_t>(n), judged[i][n]);
    }
    Loss one = region_loss(features.logits(rows), batch.label);
    if (i == 0) {
      loss = std::move(one);
      continue;
    }
    for (std::size_t part = 0; part < loss.parts.size(); ++part) {
      loss.parts[part].second = loss.parts[part].second + one.parts[part].second;
    }
    loss.total = loss.total + one.total;
    loss.output = one.output;  // of the drawn subset
  }
  if (judged.size() == 1) return loss;
  const auto count = static_cast<double>(judged.size());
  for (auto& [name, value] : loss.parts) value = value / count;
  loss.total = loss.total / count;
  return loss;
}

// HMSD (Eq. 2): all modalities of a case teach each set of `size` of them.
Method::Pairs Method::hierarchy(const std::vector<SubsetMask>& available, int size,
                                Rows& rows) const {
  Pairs pairs;
  for (std::size_t i = 0; i < available.size(); ++i) {
    if (size == 0 || size >= data::count(available[i])) continue;
    const auto n = static_cast<std::int64_t>(i);
    const std::vector<SubsetMask> sets = sets_of(available[i], size);
    const double share = options_.hierarchical_sum ? 1 : 1 / static_cast<double>(sets.size());
    for (const SubsetMask set : sets) {
      pairs.teachers.push_back(rows.at(n, available[i]));
      pairs.students.push_back(rows.at(n, set));
      pairs.weights.push_back(share / static_cast<double>(available.size()));
    }
  }
  return pairs;
}

// DMCD (Eq. 3 to 7): each set of a sample's path teaches the next.
Method::Pairs Method::decrement(const SubsetFeatures& features, const Batch& batch,
                                const Progress& progress, Rows& rows) const {
  const std::vector<SubsetMask> available = available_of(batch);
  at::Tensor compared =
      options_.compared == Compared::kShared ? features.shared() : features.fused();
  if (options_.compared == Compared::kPooled) compared = compared.flatten(3).mean(3);
  at::Tensor similarity = similarities(compared);
  if (options_.batch_path) similarity = similarity.mean(0, /*keepdim=*/true).expand_as(similarity);
  Pairs pairs;
  for (std::size_t i = 0; i < available.size(); ++i) {
    const auto n = static_cast<std::int64_t>(i);
    const std::uint64_t key = i < batch.sample_index.size() ? batch.sample_index[i] : 0;
    const SubsetMask start = options_.path_from_drawn ? batch.subsets.at(0)[i] : available[i];
    const std::vector<SubsetMask> path =
        removal_path(similarity[n], start, options_.order, options_.dynamic_path,
                     Stream(progress.seed, Purpose::kMethod, key, 2));
    for (std::size_t j = 0; j + 1 < path.size(); ++j) {
      pairs.teachers.push_back(rows.at(n, path[j]));
      pairs.students.push_back(rows.at(n, path[j + 1]));
      pairs.weights.push_back(1 / static_cast<double>(available.size()));
    }
  }
  return pairs;
}

at::Tensor Method::divergence(const at::Tensor& maps, const Pairs& pairs, bool of_sigmoids) const {
  const at::Tensor taught = options_.detach_teacher ? maps.detach() : maps;
  const at::Tensor teachers = rows_of(taught, pairs.teachers);
  const at::Tensor students = rows_of(maps, pairs.students);
  const at::Tensor each = of_sigmoids ? losses::bernoulli_kl(teachers, students)
                                      : losses::channel_kl(teachers, students, options_.kl);
  return (at::tensor(pairs.weights, at::kDouble).to(each.options()) * each).sum();
}

Loss Method::loss(const std::string&, const Batch& batch, const Progress& progress) {
  require_extent(extent_of(batch.image), extent_multiple(), "input");
  const std::vector<SubsetMask> available = available_of(batch);
  const SubsetFeatures features(*network_, batch.image, available, options_.fill);
  const int size = drawn_size(modalities_.size(), progress);
  Loss loss = segmentation(features, batch, size);

  // Both terms share what they compare.
  Rows rows, logit_rows;
  const bool apart = options_.hierarchical_logits && options_.distilled != Distilled::kLogits;
  Pairs hierarchy_pairs, path_pairs;
  if (options_.hierarchical_weight > 0) {
    hierarchy_pairs = hierarchy(available, size, apart ? logit_rows : rows);
  }
  if (options_.decremental_weight > 0) {
    path_pairs = decrement(features, batch, progress, rows);
  }
  const at::Tensor none = at::zeros({}, loss.total.options());
  at::Tensor maps = rows.size() > 0 ? features.distilled(rows, options_.distilled) : none;
  at::Tensor hmsd = none, dmcd = none, peak = none;
  if (!hierarchy_pairs.students.empty()) {
    hmsd = divergence(apart ? features.logits(logit_rows) : maps, hierarchy_pairs,
                      options_.hierarchical_logits);
  }
  if (!path_pairs.students.empty()) dmcd = divergence(maps, path_pairs, /*of_sigmoids=*/false);
  if (rows.size() > 0) peak = losses::channel_peak(maps.detach(), options_.kl).mean();
  loss.parts.emplace_back("hmsd", hmsd);
  loss.parts.emplace_back("dmcd", dmcd);
  loss.parts.emplace_back("peak", peak);
  const double ramp =
      options_.ramped
          ? std::min(1.0, 10.0 * static_cast<double>(progress.step) /
                              static_cast<double>(std::max<std::int64_t>(progress.steps, 1)))
          : 1;
  if (options_.hierarchical_weight > 0) {
    loss.total = loss.total + ramp * options_.hierarchical_weight * hmsd;
  }
  if (options_.decremental_weight > 0) {
    loss.total = loss.total + ramp * options_.decremental_weight * dmcd;
  }

  if (options_.alignment_weight > 0) {
    const at::Tensor alignment =
        losses::feature_alignment(features.shared(), losses::AlignedPairs::kRing, available);
    loss.parts.emplace_back("shared", alignment);
    loss.total = loss.total + options_.alignment_weight * alignment;
  }
  if (options_.domain_weight > 0) {
    const at::Tensor domain = losses::modality_classification(features.domains(), available);
    loss.parts.emplace_back("domain", domain);
    loss.total = loss.total + options_.domain_weight * domain;
  }
  return loss;
}

at::Tensor Method::forward(const at::Tensor& image, SubsetMask subset) {
  require_extent(extent_of(image), extent_multiple(), "input");
  const std::vector<SubsetMask> subsets(static_cast<std::size_t>(image.size(0)), subset);
  const SubsetFeatures features(*network_, image, subsets, options_.fill);
  Rows rows;
  for (std::int64_t n = 0; n < image.size(0); ++n) rows.at(n, subset);
  return features.logits(rows);
}

Features Method::encode(const at::Tensor& image) {
  const torch::NoGradGuard no_grad;
  require_extent(extent_of(image), extent_multiple(), "window");
  Features features = subset_decoder_.encode(image);
  const std::vector<SubsetMask> full(static_cast<std::size_t>(image.size(0)), modalities_.full());
  const at::Tensor own =
      network_->encode_private(image, full, /*classify_missing=*/false).bottleneck;
  features.push_back(network_->fuse(features.front(), own));
  features.push_back(subset_decoder_.absent_bottleneck());
  return features;
}

at::Tensor Method::decode(const Features& features, const std::vector<SubsetMask>& subsets) {
  return subset_decoder_.decode(features, subsets);
}

}  // namespace lacuna::methods::ccsd
