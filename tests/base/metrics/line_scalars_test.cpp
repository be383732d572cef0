#include "base/metrics/line_scalars.h"

#include <cmath>
#include <map>
#include <string>

#include <gtest/gtest.h>

namespace lacuna {
namespace {

std::map<std::string, double> by_tag(const ScalarsAtStep& at) {
  std::map<std::string, double> found;
  for (const Scalar& scalar : at.values) found[scalar.tag] = scalar.value;
  return found;
}

TEST(LineScalars, NamesWhatALineSays) {
  const auto all = line_scalars(
      {{"step", 20},
       {"stage", "train"},
       {"loss", 0.5},
       {"losses", {{"dice", 0.25}, {"meta/dice", nullptr}}},
       {"lr", 9.0},
       {"learning_rates", {{"network", 0.01}, {"importance", 0.02}}},
       {"gradient_norms", {{"network", 3.0}}},
       {"diagnostics", {{"importance/T1c", 0.4}}},
       {"seconds", {{"step", 2.0}, {"reduce", 0.125}}},
       {"skipped_steps", 1},
       {"validation",
        {{"score", 0.75}, {"step", 10}, {"regions", {{"ET", 0.7}}}, {"subsets", {{"T1", 0.2}}}}}});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].step, 20);
  auto line = by_tag(all[0]);
  EXPECT_EQ(line.size(), 10u);
  EXPECT_EQ(line["loss/total"], 0.5);
  EXPECT_EQ(line["loss/dice"], 0.25);
  EXPECT_TRUE(std::isnan(line["loss/meta/dice"]));
  EXPECT_EQ(line["learning_rate/importance"], 0.02);
  EXPECT_EQ(line.count("learning_rate"), 0u);
  EXPECT_EQ(line["gradient_norm/network"], 3.0);
  EXPECT_EQ(line["diagnostics/importance/T1c"], 0.4);
  EXPECT_EQ(line["seconds/reduce"], 0.125);
  EXPECT_EQ(line["counters/skipped_steps"], 1.0);
  // A validation counts at the step that it judged.
  EXPECT_EQ(all[1].step, 10);
  auto validation = by_tag(all[1]);
  EXPECT_EQ(validation["validation/score"], 0.75);
  EXPECT_EQ(validation["validation_dice/ET"], 0.7);
  EXPECT_EQ(validation["validation_dice_by_subset/T1"], 0.2);
}

TEST(LineScalars, LeavesOutWhatItDoesNotKnow) {
  EXPECT_TRUE(line_scalars(Json::array()).empty());
  EXPECT_TRUE(line_scalars({{"loss", 1}}).empty());
  EXPECT_TRUE(line_scalars({{"step", "1"}, {"loss", 1}}).empty());
  EXPECT_TRUE(line_scalars({{"step", 1}, {"loss", "text"}, {"later", 2}}).empty());
  EXPECT_EQ(by_tag(line_scalars({{"step", 1}, {"lr", 0.5}}).at(0)).at("learning_rate"), 0.5);
}

}  // namespace
}  // namespace lacuna
