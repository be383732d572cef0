#include "evaluation/prediction/subset_evaluation.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <iterator>
#include <optional>
#include <utility>

#include <torch/types.h>

#include "base/error.h"
#include "data/sampling/normalise.h"
#include "evaluation/prediction/calibration.h"
#include "evaluation/scores/lesion_scores.h"

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

std::vector<SubsetMask> served_subsets(const methods::Method& method,
                                       const data::ModalitySet& modalities,
                                       const std::vector<SubsetMask>& asked) {
  const auto served = method.serves();
  if (!served) return asked.empty() ? modalities.subsets() : asked;
  for (const SubsetMask subset : asked) {
    if (subset == *served) continue;
    throw_error<ConfigError>(
        "this model was made for {} alone (method_options.subset) and cannot be asked for {}. "
        "Evaluate the run of that subset, or leave --subsets out",
        modalities.format(*served), modalities.format(subset));
  }
  return {*served};
}

namespace {

// A case that waits to be scored.
struct SegmentedCase {
  const data::CaseInfo* info = nullptr;
  std::vector<std::uint8_t> truth;
  std::vector<SubsetMask> subsets;
  std::vector<std::vector<std::uint8_t>> masks;            // of each subset
  std::vector<std::vector<std::vector<double>>> measured;  // [subset][region]: of probabilities
};

std::vector<double> columns_of(const Calibration& calibration) {
  return {calibration.ece, calibration.ace, calibration.mce, calibration.brier, calibration.nll};
}

// Calibration of each region over the brain: the voxels that are not background in some modality.
std::vector<std::vector<double>> calibrate_regions(const methods::InferenceRecipe& recipe,
                                                   const std::vector<data::Region>& regions,
                                                   const at::Tensor& probabilities,
                                                   const std::vector<std::uint8_t>& truth,
                                                   const at::Tensor& brain) {
  std::vector<std::vector<double>> columns;
  std::vector<std::uint8_t> belongs(truth.size());
  for (const data::Region& region : regions) {
    at::Tensor p = region_probability(recipe, region, probabilities);
    if (!p.defined()) {
      columns.emplace_back(kCalibrationColumns.size(), kNoNumber);
      continue;
    }
    p = p.contiguous();
    for (std::size_t i = 0; i < truth.size(); ++i) belongs[i] = data::contains(region, truth[i]);
    const auto voxels = truth.size();
    columns.push_back(columns_of(calibrate({p.const_data_ptr<float>(), voxels}, belongs,
                                           {brain.const_data_ptr<std::uint8_t>(), voxels})));
  }
  return columns;
}

SegmentedCase segment_case(methods::Method& method, const data::Cohort& cohort,
                           const EvaluationOptions& options, const data::CaseInfo& info) {
  const auto alive = [&] {
    if (options.alive) options.alive();
  };
  std::optional<data::CaseFile> own;
  if (!options.open) own.emplace(cohort, info).verify();
  const data::CaseFile& file = own ? *own : options.open(info);
  SegmentedCase made;
  made.info = &info;
  for (const SubsetMask subset : served_subsets(method, cohort.modalities, options.subsets)) {
    if ((subset & ~info.available) == 0) made.subsets.push_back(subset);
  }
  const auto [depth, height, width] = info.full_extent;
  made.truth.resize(static_cast<std::size_t>(depth * height * width));
  file.read_label({0, 0, 0}, info.full_extent, made.truth.data());
  if (const auto box = scored_box(method, info.full_extent, options.patch)) {
    made.truth = inside(made.truth, info.full_extent, *box);
  }
  const at::Tensor image = load_volume(file, method);
  alive();
  SegmentOptions segment;
  segment.patch = options.patch;
  segment.mirrored = options.mirrored;
  segment.rankseg = options.rankseg;
  segment.alive = options.alive;
  at::Tensor brain;
  if (options.calibration) {
    brain = (image[0] != 0).any(0).to(torch::kUInt8).contiguous();
    made.measured.resize(made.subsets.size());
    segment.probabilities = [&](std::size_t subset, const at::Tensor& probabilities) {
      made.measured[subset] =
          calibrate_regions(method.inference(), cohort.regions, probabilities, made.truth, brain);
    };
  }
  made.masks = segment_subsets(method, image, made.subsets, segment);
  alive();
  return made;
}

std::vector<CaseScore> score_segmented(const SegmentedCase& made, const data::Cohort& cohort,
                                       const ScoreOptions& options, bool hd95,
                                       std::atomic<int>& scored) {
  const data::CaseInfo& info = *made.info;
  TruthDistances truth(made.truth, info.full_extent, info.spacing_mm, cohort.regions, options);
  std::vector<CaseScore> scores;
  for (std::size_t s = 0; s < made.subsets.size(); ++s) {
    CaseScore score{info.id, info.institution, made.subsets[s], truth.score(made.masks[s], hd95)};
    score.checksum = info.checksum;
    const auto regions = static_cast<std::ptrdiff_t>(cohort.regions.size());
    score.processed.assign(score.regions.begin() + regions, score.regions.end());
    score.regions.resize(cohort.regions.size());
    if (!made.measured.empty()) {
      for (std::size_t r = 0; r < score.regions.size(); ++r) {
        auto& values = score.regions[r].values;
        values.insert(values.end(), made.measured[s][r].begin(), made.measured[s][r].end());
      }
      for (RegionScore& each : score.processed) {
        each.values.insert(each.values.end(), kCalibrationColumns.size(), kNoNumber);
      }
    }
    scores.push_back(std::move(score));
    ++scored;
  }
  return scores;
}

}  // namespace

std::vector<CaseScore> evaluate(methods::Method& method, const data::Cohort& cohort,
                                const EvaluationOptions& options) {
  method.invalidate_evaluation_cache();
  served_subsets(method, cohort.modalities, options.subsets);  // refuses before any work
  ScoreOptions rules = options.score;
  rules.predicted_tissues = predicted_tissues(method);
  std::vector<CaseScore> scores;
  std::atomic<int> scored = 0;                  // subsets; outlives the thread that counts
  std::future<std::vector<CaseScore>> pending;  // of the case before
  const auto collect = [&] {
    if (!pending.valid()) return;
    // Alive while the other thread gets on, not merely because this one waits.
    int seen = scored;
    while (pending.wait_for(std::chrono::milliseconds(20)) != std::future_status::ready) {
      if (const int now = scored; std::exchange(seen, now) != now && options.alive) options.alive();
    }
    auto made = pending.get();
    std::move(made.begin(), made.end(), std::back_inserter(scores));
  };
  const int total = static_cast<int>(options.cases.size());
  for (int done = 0; done < total; ++done) {
    const int index = options.cases[static_cast<std::size_t>(done)];
    const data::CaseInfo& info = cohort.cases[static_cast<std::size_t>(index)];
    if (!info.has_label) {
      throw_error<DataError>("case {}: has no label, so it cannot be scored. Use: lacuna predict",
                             info.id);
    }
    std::optional<SegmentedCase> made;
    try {
      made = segment_case(method, cohort, options, info);
    } catch (const DataError& error) {
      if (!options.unread) throw;
      options.unread({info.id, error.what()});
    }
    for (std::size_t s = 0; made && options.keep && s < made->subsets.size(); ++s) {
      options.keep(index, made->subsets[s], made->masks[s]);
    }
    collect();
    if (options.alive) options.alive();
    if (made) {
      pending = std::async(std::launch::async, [&, made = std::move(*made)] {
        return score_segmented(made, cohort, rules, options.hd95, scored);
      });
    }
    if (options.progress && !options.progress(done + 1, total)) break;
  }
  collect();
  return scores;
}

}  // namespace lacuna::evaluation
