#include "evaluation/prediction/subset_evaluation.h"

#include <optional>
#include <utility>

#include <torch/types.h>

#include "base/error.h"
#include "data/sampling/normalise.h"

namespace lacuna::evaluation {

using data::SubsetMask;

namespace {

// The labels of a D x H x W volume, with background outside the box.
std::vector<std::uint8_t> inside(const std::vector<std::uint8_t>& labels, const Extent& extent,
                                 const Box& box) {
  std::vector<std::uint8_t> kept(labels.size());
  for (std::int64_t d = 0; d < box.extent[0]; ++d) {
    for (std::int64_t h = 0; h < box.extent[1]; ++h) {
      const std::int64_t row =
          ((box.corner[0] + d) * extent[1] + box.corner[1] + h) * extent[2] + box.corner[2];
      std::copy_n(labels.begin() + row, box.extent[2], kept.begin() + row);
    }
  }
  return kept;
}

}  // namespace

at::Tensor load_volume(const data::CaseFile& file, const methods::Method& method) {
  const data::CaseInfo& info = file.info();
  const auto [depth, height, width] = info.full_extent;
  const auto modalities = static_cast<int>(file.header().statistics.size());
  // Background, and a modality that the case lacks, stay 0.
  at::Tensor image = torch::zeros({1, modalities, depth, height, width});
  const data::DataRecipe recipe = method.recipe();
  for (int m = 0; m < modalities; ++m) {
    const auto map = data::intensity_map(recipe, file, m);
    float* volume = image[0][m].data_ptr<float>();
    file.for_each_stored_row(m, {0, 0, 0}, info.full_extent, [&](const data::StoredRow& row) {
      const auto [d, h, w] = row.place;
      data::normalise_row(map, row, volume + (d * height + h) * width + w, false);
    });
  }
  return image;
}

namespace {

void score_case(methods::Method& method, const data::Cohort& cohort,
                const EvaluationOptions& options, int index, std::vector<CaseScore>& scores) {
  const data::CaseInfo& info = cohort.cases[static_cast<std::size_t>(index)];
  const auto alive = [&] {
    if (options.alive) options.alive();
  };
  std::optional<data::CaseFile> own;
  if (!options.open) own.emplace(cohort, info).verify();
  const data::CaseFile& file = own ? *own : options.open(info);
  std::vector<SubsetMask> subsets;
  for (const SubsetMask subset :
       options.subsets.empty() ? cohort.modalities.subsets() : options.subsets) {
    if ((subset & ~info.available) == 0) subsets.push_back(subset);
  }
  const auto [depth, height, width] = info.full_extent;
  std::vector<std::uint8_t> truth(static_cast<std::size_t>(depth * height * width));
  file.read_label({0, 0, 0}, info.full_extent, truth.data());
  const at::Tensor image = load_volume(file, method);
  alive();
  const auto segmentations = segment_subsets(method, image, subsets, options.patch);
  alive();
  if (const auto box = scored_box(method, info.full_extent, options.patch)) {
    truth = inside(truth, info.full_extent, *box);
  }
  TruthDistances distances(truth, info.full_extent, info.spacing_mm, cohort.regions, options.score);
  for (std::size_t s = 0; s < subsets.size(); ++s) {
    scores.push_back(
        {info.id, info.institution, subsets[s], distances.score(segmentations[s], options.hd95)});
    if (options.keep) options.keep(index, subsets[s], segmentations[s]);
    alive();
  }
}

}  // namespace

std::vector<CaseScore> evaluate(methods::Method& method, const data::Cohort& cohort,
                                const EvaluationOptions& options) {
  method.invalidate_evaluation_cache();
  std::vector<CaseScore> scores;
  const int total = static_cast<int>(options.cases.size());
  for (int done = 0; done < total; ++done) {
    const int index = options.cases[static_cast<std::size_t>(done)];
    const data::CaseInfo& info = cohort.cases[static_cast<std::size_t>(index)];
    if (!info.has_label) {
      throw_error<DataError>("case {}: has no label, so it cannot be scored. Use: lacuna predict",
                             info.id);
    }
    const auto before = static_cast<std::ptrdiff_t>(scores.size());
    try {
      score_case(method, cohort, options, index, scores);
    } catch (const DataError& error) {
      if (!options.unread) throw;
      scores.erase(scores.begin() + before, scores.end());
      options.unread({info.id, error.what()});
    }
    if (options.progress && !options.progress(done + 1, total)) break;
  }
  return scores;
}

}  // namespace lacuna::evaluation
