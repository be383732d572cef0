// Every score against the numbers of the program that defines it, on all pairs.
#include <cmath>

#include <gtest/gtest.h>

#include "base/error.h"
#include "data/types/tissue.h"
#include "evaluation/scores/overlap.h"
#include "evaluation/volumes/surface_elements.h"
#include "tests/evaluation/vectors.h"

namespace lacuna::evaluation {
namespace {

constexpr double kExact = 1e-9;

struct Scored {
  ScoreSet set;
  std::vector<RegionScore> regions;

  double value(std::size_t region, const std::string& score, const std::string& column) const {
    for (std::size_t i = 0; i < set.columns().size(); ++i) {
      if (set.columns()[i].score == score && set.columns()[i].column == column) {
        return regions[region].values[i];
      }
    }
    ADD_FAILURE() << "no column " << score << "." << column;
    return 0;
  }
};

Scored score(const VectorPair& pair, const std::vector<std::string>& names, int threads = 1) {
  ScoreOptions options;
  options.scores = ScoreSet(names);
  options.threads = threads;
  return {options.scores, score_case(pair.prediction, pair.truth, pair.extent, pair.spacing_mm,
                                     data::tumour_regions(), options)};
}

void expect_equal(double ours, double theirs, const std::string& what, double tolerance = kExact) {
  if (!std::isfinite(theirs)) {
    EXPECT_TRUE(std::isnan(theirs) ? std::isnan(ours) : ours == theirs)
        << what << ": " << ours << ", expected " << theirs;
  } else {
    EXPECT_NEAR(ours, theirs, tolerance) << what;
  }
}

// Visits every region of every pair.
template <typename Visit>
void for_each_region(const std::vector<std::string>& names, const Visit& visit) {
  const auto regions = data::tumour_regions();
  for (const VectorPair& pair : vector_pairs()) {
    const Scored scored = score(pair, names);
    for (std::size_t r = 0; r < regions.size(); ++r) {
      const std::string& region = regions[r].name;
      visit(pair, scored, r, region,
            fmt::format("{} {} {}", pair.expected["pair"].get<std::string>(),
                        pair.expected["case"].get<std::string>(), region));
    }
  }
}

TEST(OfficialScores, Lesions2023OfEachChallenge) {
  for_each_region(
      {"lesion2023-gli", "lesion2023-men", "lesion2023-met", "voxel"},
      [](const auto& pair, const Scored& scored, std::size_t r, const std::string& region,
         const std::string& where) {
        for (const auto& [challenge, name] :
             {std::pair{"GLI", "lesion2023-gli"}, std::pair{"MEN", "lesion2023-men"},
              std::pair{"MET", "lesion2023-met"}}) {
          const Json& theirs = pair.expected["brats2023"][challenge][region];
          for (const auto& [column, key] :
               {std::pair{"lw_dice", "lesionwise_dice"}, std::pair{"lw_hd95_mm", "lesionwise_hd95"},
                std::pair{"tp", "tp"}, std::pair{"fp", "fp"}, std::pair{"fn", "fn"}}) {
            expect_equal(scored.value(r, name, column), number(theirs[key]),
                         where + " " + name + " " + column);
          }
        }
        const Json& whole = pair.expected["brats2023"]["GLI"][region];
        for (const char* column : {"dice", "sensitivity", "specificity"}) {
          expect_equal(scored.value(r, "voxel", column), number(whole[column]),
                       where + " " + column);
        }
      });
}

TEST(OfficialScores, Lesions2026AsShippedAndInMillimetres) {
  int ambiguous = 0;
  for_each_region({"lesion2026", "lesion2026-mm"}, [&](const auto& pair, const Scored& scored,
                                                       std::size_t r, const std::string& region,
                                                       const std::string& where) {
    const bool unique = pair.expected["brats2026"]["assignment_unique"][region];
    for (const auto& [name, key] :
         {std::pair{"lesion2026", "as_shipped"}, std::pair{"lesion2026-mm", "mm"}}) {
      const Json& theirs = pair.expected["brats2026"][key][region];
      EXPECT_EQ(scored.value(r, name, "assignment_unique") == 1, unique) << where;
      for (const auto& [column, official] :
           {std::pair{"tp", "tp"}, std::pair{"fp", "fp"}, std::pair{"fn", "fn"},
            std::pair{"rq", "rq"}, std::pair{"sq_dsc", "sq_dsc"}, std::pair{"sq_hd95", "sq_hd95"},
            std::pair{"sq_nsd", "sq_nsd"}, std::pair{"global_dsc", "global_bin_dsc"},
            std::pair{"global_hd95", "global_bin_hd95"},
            std::pair{"global_nsd", "global_bin_nsd"}}) {
        const bool by_match = std::string(column).starts_with("sq_");
        if (!unique && by_match) continue;
        expect_equal(scored.value(r, name, column), number(theirs[official]),
                     where + " " + name + " " + column);
      }
    }
    ambiguous += unique ? 0 : 1;
  });
  EXPECT_EQ(ambiguous, 2);
}

TEST(OfficialScores, SurfaceDistance) {
  for_each_region({"surface"}, [](const auto& pair, const Scored& scored, std::size_t r,
                                  const std::string& region, const std::string& where) {
    const Json& theirs = pair.expected["surface_distance"][region];
    for (const auto& [column, key] : {std::pair{"hd95_mm", "hd95"}, std::pair{"nsd_1mm", "nsd_1mm"},
                                      std::pair{"nsd_2mm", "nsd_2mm"}}) {
      expect_equal(scored.value(r, "surface", column), number(theirs[key]), where + " " + column);
    }
  });
}

// medpy and MONAI differ in what they do with empty masks; elsewhere they are `pooled` and
// `directed`. They were given decimal spacings, and MONAI computes in single precision.
TEST(OfficialScores, MedpyAndMonaiWhereBothMasksHoldVoxels) {
  int compared = 0;
  for_each_region({"voxel"}, [&](const auto& pair, const Scored& scored, std::size_t r,
                                 const std::string& region, const std::string& where) {
    const RegionScore& own = scored.regions[r];
    EXPECT_EQ(own.dice, scored.value(r, "voxel", "dice")) << where;
    EXPECT_EQ(own.hd95_mm, scored.value(r, "voxel", "hd95_directed_mm")) << where;
    if (own.predicted_voxels == 0 || own.true_voxels == 0) return;
    const Json &medpy = pair.expected["medpy"][region], &monai = pair.expected["monai"][region];
    expect_equal(scored.value(r, "voxel", "hd95_pooled_mm"), number(medpy["hd95"]), where, 1e-6);
    // A percentile between two distances: its position is rounded to single precision, too.
    const double gap = *std::max_element(pair.spacing_mm.begin(), pair.spacing_mm.end());
    expect_equal(scored.value(r, "voxel", "hd95_directed_mm"), number(monai["hd95"]), where,
                 1e-5 + 3e-5 * (gap - 1));
    ++compared;
  });
  EXPECT_GT(compared, 100);
}

// One truth for many predictions, on several threads: as when each is scored alone.
TEST(OfficialScores, TruthIsPreparedOnceForManyPredictions) {
  const std::vector<std::string> names = {"voxel",      "lesion2023-gli", "lesion2023-met",
                                          "lesion2026", "lesion2026-mm",  "surface",
                                          "lesions"};
  const auto& pairs = vector_pairs();
  for (const std::size_t number : {49u, 52u, 12u}) {
    const VectorPair& pair = pairs[number];
    std::vector<std::vector<std::uint8_t>> predictions = {pair.prediction, pair.truth};
    predictions.emplace_back(pair.truth.size(), std::uint8_t{0});
    predictions.push_back(pair.prediction);
    std::rotate(predictions[3].begin(), predictions[3].begin() + 3, predictions[3].end());
    predictions.push_back(pair.prediction);
    ScoreOptions options;
    options.scores = ScoreSet(names);
    options.threads = 3;
    TruthDistances truth(pair.truth, pair.extent, pair.spacing_mm, data::tumour_regions(), options);
    for (const auto& prediction : predictions) {
      VectorPair alone = pair;
      alone.prediction = prediction;
      const auto expected = score(alone, names).regions;
      const auto found = truth.score(prediction);
      for (std::size_t r = 0; r < expected.size(); ++r) {
        EXPECT_EQ(found[r].hd95_mm, expected[r].hd95_mm);
        for (std::size_t i = 0; i < expected[r].values.size(); ++i) {
          expect_equal(found[r].values[i], expected[r].values[i],
                       options.scores.columns()[i].name(), 0);
        }
      }
    }
  }
}

TEST(OfficialScores, AreasOfTheCodesFollowFromFirstPrinciples) {
  const Json surfels = read_json(vectors_directory() / "surfels.json");
  int spacings = 0;
  for (const auto& [text, areas] : surfels["area_mm2"].items()) {
    std::array<double, 3> file{};
    ASSERT_EQ(std::sscanf(text.c_str(), "%lf %lf %lf", &file[0], &file[1], &file[2]), 3);
    const ElementAreas ours = element_areas(data::to_depth_first(file));
    for (std::size_t code = 0; code < 256; ++code) {
      EXPECT_NEAR(ours[code], areas[code].get<double>(), 1e-12) << text << " code " << code;
    }
    ++spacings;
  }
  EXPECT_EQ(spacings, 4);
}

TEST(ScoreSet, NamesAreCheckedAndOfficialDefinitionsNeedTheirRegions) {
  EXPECT_THROW(ScoreSet({"lesion2023"}), ConfigError);
  const ScoreSet official({"lesion2023-gli"}), own({"voxel", "surface"});
  const std::vector<data::Region> cavity = {{"RC", 1u << 4}};
  EXPECT_THROW(official.require_regions(cavity, "cohort"), ConfigError);
  own.require_regions(cavity, "cohort");
  official.require_regions(data::tumour_regions(), "cohort");
}

TEST(ScoreSet, LesionsAreCountedBySize) {
  // Rows of 1 x 1 x 20: voxels 0..1 found, 4 missed, 10..12 false; each voxel is 30 mm^3.
  std::vector<std::uint8_t> truth(20), prediction(20);
  truth[0] = truth[1] = truth[4] = 3;
  prediction[1] = prediction[10] = prediction[11] = prediction[12] = 3;
  ScoreOptions options;
  options.scores = ScoreSet({"lesions"});
  const auto scored =
      score_case(prediction, truth, {1, 1, 20}, {2, 3, 5}, data::tumour_regions(), options);
  const std::vector<double> expected = {0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0};
  EXPECT_EQ(scored[0].values, expected);
}

}  // namespace
}  // namespace lacuna::evaluation
