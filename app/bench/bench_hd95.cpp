// lacuna bench hd95 and scores: three regions of one 155 x 240 x 240 case, scored from label
// volumes.
//
// The volumes come from an integer formula that bench/peers/case.py repeats, so that both sides
// score the same voxels; the entries carry the values, which must agree.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "app/bench/bench.h"
#include "evaluation/scores/overlap.h"

namespace lacuna::app {
namespace {

constexpr data::Extent kExtent{155, 240, 240};

// Nested bodies with rough surfaces: an ellipsoid whose squared radius varies by blocks of 4^3
// voxels, drawn from a hash of the block's position and `seed`.
void add_body(std::vector<std::uint8_t>& labels, const data::Extent& centre,
              const data::Extent& weight, std::int64_t limit, std::int64_t seed,
              std::uint8_t tissue) {
  std::size_t i = 0;
  for (std::int64_t d = 0; d < kExtent[0]; ++d) {
    for (std::int64_t h = 0; h < kExtent[1]; ++h) {
      for (std::int64_t w = 0; w < kExtent[2]; ++w, ++i) {
        const std::int64_t x = d - centre[0], y = h - centre[1], z = w - centre[2];
        const std::int64_t hash =
            ((d >> 2) * 73856093 ^ (h >> 2) * 19349663 ^ (w >> 2) * 83492791 ^ seed * 2654435761);
        const std::int64_t rough = (hash >> 7 & 255) * limit / 1024;
        if (weight[0] * x * x + weight[1] * y * y + weight[2] * z * z + rough <= limit) {
          labels[i] = tissue;
        }
      }
    }
  }
}

// Oedema, core and enhancing part of sizes usual in BraTS; `shift` voxels from the truth. The
// prediction also has a false island, as real ones do.
std::vector<std::uint8_t> make_case(std::int64_t shift, std::int64_t seed) {
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(kExtent[0] * kExtent[1] * kExtent[2]));
  add_body(labels, {70 + shift, 110, 150 - shift}, {10, 8, 9}, 12000, seed, 2);
  add_body(labels, {72, 112 + shift, 150}, {10, 9, 11}, 4500, seed + 1, 1);
  add_body(labels, {74, 110 + shift, 148 + shift}, {10, 12, 9}, 1800, seed + 2, 3);
  if (shift != 0) add_body(labels, {60, 160, 90}, {10, 10, 10}, 250, seed + 3, 2);
  return labels;
}

}  // namespace

Json run_hd95(const BenchOptions& options) {
  const auto truth = make_case(0, 1), prediction = make_case(3, 11);
  Json entries = Json::array();
  for (const auto definition :
       {evaluation::Hd95Definition::kDirected, evaluation::Hd95Definition::kPooled}) {
    evaluation::ScoreOptions score;
    score.hd95 = definition;
    score.threads = bench_threads(options);
    std::vector<evaluation::RegionScore> result;
    const Timing timing = measure(options, [&] {
      result = evaluation::score_case(prediction, truth, kExtent, {1, 1, 1}, data::tumour_regions(),
                                      score);
    });
    Json made = entry(evaluation::name_of(definition), timing);
    for (const auto& region : result) {
      made["hd95_mm"].push_back(region.hd95_mm);
      made["predicted_voxels"].push_back(region.predicted_voxels);
      made["true_voxels"].push_back(region.true_voxels);
    }
    entries.push_back(made);
  }
  return entries;
}

// `once`: truth and prediction from label volumes; `subset`: one more prediction for a truth that
// has been prepared, as for each of 15 subsets; `surface` alone has a peer.
Json run_scores(const BenchOptions& options) {
  const auto truth = make_case(0, 1), prediction = make_case(3, 11);
  const std::vector<std::string> every = {"voxel",          "surface",        "lesions",
                                          "lesion2023-gli", "lesion2023-men", "lesion2023-met",
                                          "lesion2026",     "lesion2026-mm"};
  Json entries = Json::array();
  for (const auto& [name, names] : {std::pair{"surface", std::vector<std::string>{"surface"}},
                                    std::pair{"once", every}, std::pair{"subset", every}}) {
    evaluation::ScoreOptions score;
    score.threads = bench_threads(options);
    score.scores = evaluation::ScoreSet(names);
    std::vector<evaluation::RegionScore> result;
    evaluation::TruthDistances prepared(truth, kExtent, {1, 1, 1}, data::tumour_regions(), score);
    const bool alone = std::string(name) != "subset";
    const Timing timing = measure(options, [&] {
      result = alone ? evaluation::score_case(prediction, truth, kExtent, {1, 1, 1},
                                              data::tumour_regions(), score, false)
                     : prepared.score(prediction, false);
    });
    Json made = entry(name, timing);
    for (const auto& region : result) {
      for (std::size_t i = 0; i < region.values.size(); ++i) {
        made[score.scores.columns()[i].name()].push_back(region.values[i]);
      }
    }
    entries.push_back(made);
  }
  return entries;
}

}  // namespace lacuna::app
