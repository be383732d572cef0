#include "evaluation/statistics/tables.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/temporary_directory.h"
#include "evaluation/statistics/comparison.h"

namespace lacuna::evaluation {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const data::ModalitySet kPair({"image", "audio"});
const std::vector<data::Region> kRegions{{"ET", 8}, {"WT", 14}};

CaseScore score(const std::string& id, const std::string& institution, data::SubsetMask subset,
                double et, double wt, double et_mm, double wt_mm) {
  return {id, institution, subset, {{et, et_mm, 10, 12}, {wt, wt_mm, 20, 24}}};
}

// Two cases; case b lacks the second modality.
std::vector<CaseScore> scores() {
  return {score("a", "x", 0b01, 0.5, 0.75, 4, 2), score("a", "x", 0b10, 0.25, 0.25, 8, 10),
          score("a", "x", 0b11, 0.75, 1.0, 2, 0), score("b", "y,z", 0b01, 1.0, 0.25, 0, 6)};
}

Summary summary(bool hd95 = true) { return summarise(scores(), kPair, kRegions, hd95); }

TEST(Summary, AveragesOverCasesThenSubsets) {
  const Summary result = summary();
  EXPECT_EQ(result.cases, 2);
  ASSERT_EQ(result.subsets.size(), 3u);
  EXPECT_EQ(result.subsets[0].means.cases, 2);
  EXPECT_THAT(result.subsets[0].means.dice, ElementsAre(0.75, 0.5));
  EXPECT_THAT(result.subsets[0].means.hd95_mm, ElementsAre(2, 4));
  EXPECT_EQ(result.subsets[1].means.cases, 1);
  // Each subset counts once, however many cases could provide it.
  EXPECT_DOUBLE_EQ(result.all.dice[0], (0.75 + 0.25 + 0.75) / 3);
  EXPECT_DOUBLE_EQ(result.all.hd95_mm[1], (4 + 10 + 0) / 3.0);
  ASSERT_EQ(result.institutions.size(), 2u);
  EXPECT_EQ(result.institutions[0].institution, "x");
  EXPECT_THAT(result.institutions[0].means.dice, ElementsAre(0.5, 2.0 / 3));
}

TEST(Summary, MeasuresRobustnessAsTheMeanHeightOfTheCurve) {
  const Robustness robustness = summary().robustness;
  // Size 1: mean of 0.625 (image) and 0.25 (audio); size 2: 0.875.
  EXPECT_THAT(robustness.dice_by_size, ElementsAre(0.4375, 0.875));
  EXPECT_DOUBLE_EQ(robustness.dice_area, (0.4375 + 0.875) / 2);
  EXPECT_THAT(robustness.hd95_by_size, ElementsAre((3 + 9) / 2.0, 1));
  // Without the full set the curve has a gap and no area.
  auto partial = scores();
  partial.erase(partial.begin() + 2);
  const auto gap = summarise(partial, kPair, kRegions, true).robustness;
  EXPECT_TRUE(std::isnan(gap.dice_by_size[1]));
  EXPECT_TRUE(std::isnan(gap.dice_area));
}

TEST(Tables, WriteOneRowPerCaseSubsetAndRegion) {
  const std::string text = cases_csv(scores(), kPair, summary());
  EXPECT_THAT(text, HasSubstr("case,institution,subset,region,dice,hd95_mm,predicted_voxels,"
                              "true_voxels\na,x,image,ET,0.5,4,10,12\na,x,image,WT,0.75,2,20,24\n"
                              "a,x,audio,ET,0.25,8,10,12\n"));
  EXPECT_THAT(text, HasSubstr("b,\"y,z\",image,ET,1,0,10,12\n"));
  EXPECT_THAT(cases_csv(scores(), kPair, summary(false)), HasSubstr("a,x,image,ET,0.5,,10,12\n"));
}

TEST(Tables, WriteOneRowPerSubsetAndTheMean) {
  EXPECT_THAT(
      subsets_csv(summary(), kPair),
      HasSubstr("subset,cases,dice_ET,dice_WT,dice_mean,hd95_mm_ET,hd95_mm_WT,hd95_mm_mean\n"
                "image,2,0.75,0.5,0.625,2,4,3\naudio,1,0.25,0.25,0.25,8,10,9\n"));
  EXPECT_THAT(subsets_csv(summary(false), kPair), HasSubstr("dice_mean\nimage,2,0.75,0.5,0.625\n"));
  EXPECT_THAT(institutions_csv(summary()), HasSubstr("\"y,z\",1,1,0.25,0.625,0,6,3\n"));
}

TEST(Tables, FollowTheLayoutOfThePapers) {
  EXPECT_EQ(markdown_table(summary(), kPair),
            "| image | audio | ET Dice % | WT Dice % | mean Dice % | ET HD95 mm | WT HD95 mm | "
            "mean HD95 mm |\n|:-:|:-:|-:|-:|-:|-:|-:|-:|\n"
            "| ● | ○ | 75.00 | 50.00 | 62.50 | 2.00 | 4.00 | 3.00 |\n"
            "| ○ | ● | 25.00 | 25.00 | 25.00 | 8.00 | 10.00 | 9.00 |\n"
            "| ● | ● | 75.00 | 100.00 | 87.50 | 2.00 | 0.00 | 1.00 |\n"
            "| mean | | 58.33 | 58.33 | 58.33 | 4.00 | 4.67 | 4.33 |\n");
  EXPECT_EQ(
      latex_table(summary(false), kPair),
      "\\begin{tabular}{ccrrr}\n\\hline\nimage & audio & ET Dice \\% & WT Dice \\% & mean Dice "
      "\\% \\\\\n\\hline\n$\\bullet$ & $\\circ$ & 75.00 & 50.00 & 62.50 \\\\\n"
      "$\\circ$ & $\\bullet$ & 25.00 & 25.00 & 25.00 \\\\\n"
      "$\\bullet$ & $\\bullet$ & 75.00 & 100.00 & 87.50 \\\\\n"
      "\\hline\n\\multicolumn{2}{c}{mean} & 58.33 & 58.33 & 58.33 \\\\\n"
      "\\hline\n\\end{tabular}\n");
}

TEST(Tables, SummariseInJsonWithTheDefinitions) {
  ScoreOptions options;
  options.hd95 = Hd95Definition::kPooled;
  const Json json = summary_json(summary(), kPair, options, {{"split", "fold0"}});
  EXPECT_EQ(json["split"], "fold0");
  EXPECT_EQ(json["hd95_definition"], "pooled");
  EXPECT_EQ(json["empty_rule"], describe_empty_rule(options));
  EXPECT_EQ(json["subsets"][0]["subset"], "image");
  EXPECT_EQ(json["subsets"][0]["dice"]["mean"], 0.625);
  EXPECT_EQ(json["institutions"]["x"]["cases"], 1);
  EXPECT_EQ(json["robustness"]["dice_by_size"], Json({0.4375, 0.875}));
  EXPECT_FALSE(summary_json(summary(false), kPair, options, {}).contains("hd95_definition"));
}

TEST(Tables, AreWrittenAsAWholeSet) {
  const TemporaryDirectory directory;
  write_tables(posix_file_system(), directory / "eval", scores(), kPair, summary(), {},
               Json::object());
  EXPECT_THAT(posix_file_system().list(directory / "eval"),
              ElementsAre("cases.csv", "institutions.csv", "subsets.csv", "summary.json",
                          "table.md", "table.tex"));
  EXPECT_EQ(read_json(directory / "eval" / "summary.json")["cases"], 2);
}

// A method that predicts no ET: in no mean over regions, and no number of voxels.
TEST(Summary, ARegionThatIsNotPredictedIsInNoMean) {
  auto partial = scores();
  const double none = std::nan("");
  for (CaseScore& each : partial) each.regions[0] = {none, none, 0, 12};
  const Summary result = summarise(partial, kPair, kRegions, true);
  EXPECT_TRUE(std::isnan(result.all.dice[0]));
  EXPECT_DOUBLE_EQ(result.robustness.dice_by_size[1], 1);
  EXPECT_DOUBLE_EQ(mean_dice(partial[0]), 0.75);
  EXPECT_THAT(cases_csv(partial, kPair, result), HasSubstr("a,x,image,ET,,,,12\n"));
  EXPECT_THAT(subsets_csv(result, kPair), HasSubstr("image,2,,0.5,0.5,,4,4\n"));
  const Json json = summary_json(result, kPair, {}, Json::object());
  EXPECT_TRUE(Json::parse(json.dump())["mean"]["dice"]["ET"].is_null());
  EXPECT_EQ(json["subsets"][0]["dice"]["mean"], 0.5);
}

TEST(Tables, HoldFurtherScoresAndWhatPostProcessingMakesOfThem) {
  auto all = scores();
  for (CaseScore& each : all) {
    each.checksum = "sum of " + each.case_id;
    for (RegionScore& region : each.regions) region.values = {0.25, INFINITY, std::nan("")};
    each.processed = {{each.regions[0].dice / 2, 1, 0, 12, {0.5, 3, 4}}};
  }
  all[0].regions[0].values[1] = 7;
  const FurtherScores further{{"ET_pp500"}, {"a-b.x", "a-b.y", "c.z"}};
  const Summary result = summarise(all, kPair, kRegions, true, further);
  EXPECT_DOUBLE_EQ(result.subsets[0].means.processed_dice[0], 0.375);
  EXPECT_DOUBLE_EQ(result.all.dice[0], summary().all.dice[0]);  // unmoved by what stands beside
  const std::string csv = cases_csv(all, kPair, result);
  EXPECT_THAT(csv, HasSubstr("true_voxels,checksum,a-b.x,a-b.y,c.z\n"
                             "a,x,image,ET,0.5,4,10,12,sum of a,0.25,7,\n"));
  EXPECT_THAT(csv, HasSubstr("a,x,image,ET_pp500,0.25,1,0,12,sum of a,0.5,3,4\n"));
  ScoreOptions options;
  options.minimums = {parse_minimum("ET", "500")};
  const Json json = Json::parse(summary_json(result, kPair, options, Json::object(), all).dump());
  const Json& subset = json["subsets"][0];
  EXPECT_EQ(subset["scores"]["ET"]["a-b"]["x"], 0.25);
  EXPECT_TRUE(subset["scores"]["ET"]["a-b"]["y"].is_null());
  EXPECT_EQ(subset["scores"]["ET"]["a-b"]["y_infinite"], 1);
  EXPECT_EQ(subset["scores"]["ET"]["a-b"]["y_with_373"], (7 + 373) / 2.0);
  EXPECT_EQ(subset["scores"]["ET"]["c"]["z_left_out"], 2);
  EXPECT_EQ(subset["processed"]["ET_pp500"]["dice"], 0.375);
  EXPECT_EQ(json["post_processing"][0]["score"], "ET_pp500");
  // Two cases: the interval of a mean lies between them.
  const Json& interval = subset["intervals"]["dice"]["ET"]["percentile"];
  EXPECT_EQ(interval[0], 0.5);
  EXPECT_EQ(interval[1], 1);
  EXPECT_THAT(markdown_table(result, kPair), HasSubstr("ET_pp500 Dice %"));
}

TEST(Compare, KnowsWhatMustNotBeCompared) {
  const Json about{
      {"hd95_definition", "directed"}, {"empty_rule", "x"}, {"part", "test"}, {"cohort", "aa"}};
  auto ours = scores();
  for (CaseScore& each : ours) each.checksum = "1";
  const auto identity = identity_of(about, ours);
  EXPECT_EQ(why_not_comparable(identity, identity), "");
  for (const auto& [key, value] : {std::pair{"hd95_definition", "pooled"},
                                   std::pair{"empty_rule", "y"}, std::pair{"part", "validation"}}) {
    Json other = about;
    other[key] = value;
    EXPECT_THAT(why_not_comparable(identity, identity_of(other, ours)), HasSubstr(value));
  }
  // A cohort that has grown since: the cases are the same.
  Json grown = about;
  grown["cohort"] = "bb";
  auto more = ours;
  more.push_back(score("c", "", 0b01, 1, 1, 0, 0));
  EXPECT_EQ(why_not_comparable(identity, identity_of(grown, more)), "");
  // The same names, other voxels.
  auto theirs = ours;
  for (CaseScore& each : theirs) each.checksum = "2";
  EXPECT_THAT(why_not_comparable(identity, identity_of(grown, theirs)), HasSubstr("other data"));
  EXPECT_TRUE(compare(ours, theirs, kPair).empty());
  // Evaluations of earlier versions know no content: the fingerprint decides.
  const auto old = scores();
  EXPECT_EQ(why_not_comparable(identity, identity_of(about, old)), "");
  EXPECT_THAT(why_not_comparable(identity, identity_of(grown, old)), HasSubstr("fingerprint"));
  EXPECT_EQ(compare(ours, old, kPair).size(), 3u);
}

TEST(Compare, HolmAdjustsAllTestsThatAreShownTogether) {
  std::vector<std::vector<SubsetComparison>> shown(3);
  for (const double p : {0.01, 0.04}) shown[0].push_back({1, 6, 0, 0, {0, p, 6, true}, 1});
  for (const double p : {0.03, 0.005}) shown[2].push_back({1, 6, 0, 0, {0, p, 6, true}, 1});
  adjust_together(shown);
  EXPECT_NEAR(shown[0][0].p_holm, 0.03, 1e-15);
  EXPECT_NEAR(shown[0][1].p_holm, 0.06, 1e-15);
  EXPECT_NEAR(shown[2][1].p_holm, 0.02, 1e-15);
}

TEST(Compare, TestsTheCommonCasesOfEachSubset) {
  std::vector<CaseScore> ours, theirs;
  for (int i = 1; i <= 6; ++i) {
    const std::string id(1, static_cast<char>('a' + i));
    ours.push_back(score(id, "", 0b01, 0.5, 0.5 + 0.01 * i, 0, 0));
    theirs.push_back(score(id, "", 0b01, 0.5, 0.5 - 0.01 * i, 0, 0));
    ours.push_back(score(id, "", 0b11, 0.5, 0.5, 0, 0));
  }
  theirs.push_back(score("b", "", 0b11, 0.5, 0.5, 0, 0));
  theirs.push_back(score("unknown", "", 0b10, 0.5, 0.5, 0, 0));
  const auto rows = compare(ours, theirs, kPair);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].subset, 0b01u);
  EXPECT_EQ(rows[0].cases, 6);
  EXPECT_NEAR(rows[0].mean_dice - rows[0].other_mean_dice, 0.035, 1e-12);
  EXPECT_NEAR(rows[0].test.p, 2 / 64.0, 1e-12);  // all six differences have one sign
  EXPECT_NEAR(rows[0].p_holm, 4 / 64.0, 1e-12);  // the smaller of two tests
  EXPECT_EQ(rows[1].test.p, 1);
  EXPECT_THAT(comparison_csv(rows, kPair), HasSubstr("image+audio,1,0.5,0.5,0,1,1,yes\n"));
}

}  // namespace
}  // namespace lacuna::evaluation
