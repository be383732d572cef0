#include "experiments/sweep_plan.h"

#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/temporary_directory.h"
#include "tests/experiments/toy_sweep.h"

namespace lacuna::experiments {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using tests::define;
using tests::toy_plan;
using tests::toy_resolver;

std::string error_of(const std::string& text) {
  try {
    toy_plan(text);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

std::vector<std::string> labels(const SweepPlan& plan) {
  std::vector<std::string> labels;
  for (const PlannedRun& run : plan.runs) labels.push_back(run.label);
  return labels;
}

TEST(SweepPlan, GridTimesZipPlusRunsInAFixedOrder) {
  const SweepPlan plan = toy_plan(R"({"base": {"method": "unet", "train": {"steps": 7}},
    "grid": {"train.seed": [1, 2]},
    "zip": {"data.split": ["fold0", "fold1"], "train.batch": [4, 8]},
    "runs": [{"method": "mckd", "train.seed": 9}]})");
  EXPECT_THAT(labels(plan),
              ElementsAre("unet fold0 batch=4 seed=1", "unet fold1 batch=8 seed=1",
                          "unet fold0 batch=4 seed=2", "unet fold1 batch=8 seed=2", "mckd seed=9"));
  const Json run = plan.run_object(plan.runs[3]);
  EXPECT_EQ(run["train"], (Json{{"steps", 7}, {"batch", 8}, {"seed", 2}}));
  EXPECT_EQ(plan.runs[3].steps, 7);
}

TEST(SweepPlan, TheIdentityIsThatOfTheResolvedRun) {
  const auto alone = toy_resolver()({{"method", "unet"}, {"train", {{"seed", 2}}}}, "");
  const SweepPlan plan =
      toy_plan(R"({"base": {"method": "unet"}, "grid": {"train.seed": [1, 2]}})");
  EXPECT_EQ(plan.runs[1].id, alone.id);
  // More runs in the file leave those that are there as they are.
  const SweepPlan more =
      toy_plan(R"({"base": {"method": "unet"}, "grid": {"train.seed": [3, 2, 1]}})");
  EXPECT_EQ(more.runs[1].id, alone.id);
}

TEST(SweepPlan, OneRunWithoutAxes) {
  EXPECT_THAT(labels(toy_plan(R"({"base": {"method": "unet"}})")), ElementsAre("unet"));
}

TEST(SweepPlan, ASectionVariesAsAWhole) {
  const SweepPlan plan = toy_plan(R"({"base": {"method": "unet"}, "grid": {"subsets":
    [{"policy": "full"}, {"policy": "bernoulli", "p": 0.25}]}})");
  EXPECT_THAT(labels(plan), ElementsAre("unet full", "unet p=0.25 bernoulli"));
  EXPECT_EQ(plan.run_object(plan.runs[1])["subsets"]["p"], 0.25);
}

TEST(SweepPlan, ExcludeAndOverridesApplyToWhatHasTheirValues) {
  const SweepPlan plan = toy_plan(R"({"base": {"train": {"steps": 10}},
    "grid": {"method": ["unet", "mckd"], "train.seed": [1, 2]},
    "exclude": [{"method": "mckd", "train.seed": 2}],
    "overrides": [{"when": {"method": "mckd"}, "set": {"train": {"steps": 30, "batch": 2}},
                   "resources": {"time": "10:00"}}],
    "resources": {"time": "5:00", "ranks": 2}})");
  EXPECT_THAT(labels(plan), ElementsAre("unet seed=1", "unet seed=2", "mckd seed=1"));
  EXPECT_EQ(plan.runs[0].steps, 10);
  EXPECT_EQ(plan.runs[2].steps, 30);
  EXPECT_EQ(plan.resources[plan.runs[0].resources], (Json{{"time", "5:00"}, {"ranks", 2}}));
  EXPECT_EQ(plan.resources[plan.runs[2].resources], (Json{{"time", "10:00"}, {"ranks", 2}}));
}

TEST(SweepPlan, GroupsTakeOverWhatTheFileSaysAndComeAfterWhatTheyWaitFor) {
  const SweepPlan plan = toy_plan(R"({"base": {"method": "unet"}, "grid": {"train.seed": [1, 2]},
    "groups": {"a-students": {"after": ["teachers"], "base": {"subsets": {"policy": "uniform"}}},
               "teachers": {"grid": {"train.seed": [5]}}}})");
  ASSERT_EQ(plan.groups.size(), 2u);
  EXPECT_EQ(plan.groups[0].name, "teachers");
  EXPECT_THAT(plan.groups[1].after, ElementsAre(0u));
  ASSERT_EQ(plan.runs.size(), 3u);
  EXPECT_EQ(plan.run_object(plan.runs[0])["train"]["seed"], 5);
  EXPECT_EQ(plan.run_object(plan.runs[2])["subsets"]["policy"], "uniform");
}

constexpr const char* kTeaching = R"({"base": {"method": "unet"}, "groups": {
    "teachers": {"grid": {"train.seed": [1, 2], "train.batch": [2]}},
    "students": {"after": ["teachers"], "base": {"init": {"weights": {"from": "teachers"}}},
                 "grid": {"subsets.p": [0.25, 0.75], "train.seed": [1, 2]},
                 "overrides": [{"when": {"train.seed": 2}, "set": {"train.batch": 4}}]}}})";

TEST(SweepPlan, ARunStartsFromTheOneOfAnEarlierGroupWithItsValues) {
  const SweepPlan plan = toy_plan(kTeaching);
  ASSERT_EQ(plan.runs.size(), 6u);
  for (std::size_t i = 2; i < 6; ++i) {
    const Json student = plan.run_object(plan.runs[i]);
    const std::size_t teacher = student["train"]["seed"].get<std::size_t>() - 1;
    EXPECT_EQ(student["init"],
              (Json{{"weights", ""}, {"identity", "run:" + plan.runs[teacher].id}}));
  }
  EXPECT_EQ(toy_plan(R"({"base": {"method": "unet"}, "groups": {"a": {}, "b": {"after": ["a"],
      "base": {"init": {"weights": {"from": "a"}}}}}})")
                .runs[1]
                .label,
            "unet b");
  // Who taught it is part of what a run is: another teacher makes another student.
  const SweepPlan longer = make_plan(define(kTeaching, {"train.steps=7"}), toy_resolver());
  const SweepPlan again = toy_plan(kTeaching);
  EXPECT_NE(plan.runs[2].id, longer.runs[2].id);
  EXPECT_EQ(plan.runs[2].id, again.runs[2].id);
  EXPECT_EQ(plan_text(plan_from_text(plan_text(plan), "plan.json")), plan_text(plan));
}

// Where the weights come from is an axis that each link of a chain has with another value.
TEST(SweepPlan, AChainOfThreeGroupsIsFollowedBySeed) {
  const SweepPlan plan = toy_plan(R"({"base": {"method": "unet"}, "groups": {
      "teachers": {"grid": {"train.seed": [1, 2]}},
      "students": {"after": ["teachers"],
                   "grid": {"init.weights.from": ["teachers"], "train.seed": [1, 2]}},
      "theirs": {"after": ["students"],
                 "grid": {"init.weights.from": ["students"], "train.seed": [1, 2]}}}})");
  ASSERT_EQ(plan.runs.size(), 6u);
  for (std::size_t i = 2; i < 6; ++i) {
    EXPECT_EQ(plan.run_object(plan.runs[i])["init"]["identity"], "run:" + plan.runs[i - 2].id);
  }
}

TEST(SweepPlan, WhatCannotBeStartedFromIsNamed) {
  const auto error = [](const std::string& teachers, const std::string& students) {
    return error_of(R"({"base": {"method": "unet"}, "groups": {"teachers": {)" + teachers +
                    R"(}, "students": {"base": {"init": {"weights": {"from": "teachers"}},
                    "subsets": {"p": 0.75}}, )" +
                    students + "}}}");
  };
  EXPECT_THAT(error(R"("grid": {"train.seed": [1]})", R"("after": [])"),
              AllOf(HasSubstr("run unet: init.weights.from is \"teachers\""),
                    HasSubstr("Groups in its `after`: none")));
  EXPECT_THAT(error(R"("grid": {"train.seed": [1, 2]})", R"("after": ["teachers"])"),
              AllOf(HasSubstr("2 runs of group teachers"), HasSubstr("unet seed=2"),
                    HasSubstr("Add the axis")));
  EXPECT_THAT(error(R"("grid": {"train.seed": [1, 2]})",
                    R"("after": ["teachers"], "grid": {"train.seed": [3]})"),
              HasSubstr("no run of group teachers has its values"));
  EXPECT_THAT(error_of(R"({"base": {"method": "unet", "init": {"weights": {"of": "a"}}}})"),
              HasSubstr("init.weights is {\"of\":\"a\"}, expected a string"));
}

TEST(SweepPlan, WhatIsWrongWithTheFileIsNamedWithItsPath) {
  EXPECT_THAT(error_of(R"({"grdi": {}})"), AllOf(HasSubstr("unknown key grdi"), HasSubstr("grid")));
  EXPECT_THAT(error_of(R"({"grid": {}})"), HasSubstr("sweep.json: grid is {}"));
  EXPECT_THAT(error_of(R"({"grid": {"train.seed": []}})"), HasSubstr("grid.train.seed is []"));
  EXPECT_THAT(error_of(R"({"grid": {"train.seed": [1, 2, 1]}})"), HasSubstr("1 is there twice"));
  EXPECT_THAT(error_of(R"({"zip": {"train.seed": [1, 2], "train.batch": [1]}})"),
              AllOf(HasSubstr("zip.train.seed has 2"), HasSubstr("zip.train.batch has 1")));
  EXPECT_THAT(error_of(R"({"zip": {"train.seed": [1]}, "grid": {"train.seed": [1]}})"),
              HasSubstr("in grid and in zip"));
  EXPECT_THAT(error_of(R"({"runs": [{}]})"), HasSubstr("runs[0]"));
  EXPECT_THAT(error_of(R"({"name": "a; rm -rf /"})"), HasSubstr("letters, digits"));
  EXPECT_THAT(error_of(R"({"resources": {"rank": 2}})"), HasSubstr("resources.ranks"));
  EXPECT_THAT(error_of(R"({"report": {"ranks": 2}})"), HasSubstr("unknown key report.ranks"));
  EXPECT_THAT(error_of(R"({"overrides": [{"when": {"method": "unet"}, "to": 1}]})"),
              HasSubstr("unknown key to"));
  EXPECT_THAT(error_of(R"({"groups": {"a": {"after": ["b"]}}})"),
              AllOf(HasSubstr("groups.a.after"), HasSubstr("no group \"b\"")));
  EXPECT_THAT(error_of(R"({"groups": {"a": {"after": ["b"]}, "b": {"after": ["a"]}}})"),
              HasSubstr("wait for one another"));
  EXPECT_THAT(error_of(R"({"groups": {"a": {}}, "runs": [{"method": "unet"}]})"),
              HasSubstr("belong to no group"));
}

TEST(SweepPlan, WhatIsWrongWithARunNamesTheRun) {
  EXPECT_THAT(error_of(R"({"base": {"method": "unet"}, "grid": {"train.sed": [1, 2]}})"),
              AllOf(HasSubstr("run unet sed=1"), HasSubstr("Did you mean train.seed?")));
  EXPECT_THAT(error_of(R"({"grid": {"method": ["unet", "mkcd"]}})"),
              AllOf(HasSubstr("run mkcd"), HasSubstr("mckd")));
}

TEST(SweepPlan, ResourcesThatNoBatchSystemTakesAreRefused) {
  EXPECT_THAT(error_of(R"({"base": {"method": "unet"}, "resources": {"nodes": 2}})"),
              AllOf(HasSubstr("sweep.json: run unet: resources"), HasSubstr("one per node")));
  EXPECT_THAT(error_of(R"({"base": {"method": "unet"}, "resources": {"partition": "a b"}})"),
              HasSubstr("resources.partition: 'a b' holds a space"));
  EXPECT_THAT(error_of(R"({"base": {"method": "unet"}, "report": {"extra": ["--array=1"]}})"),
              HasSubstr("sweep.json: report"));
}

TEST(SweepPlan, TwoRunsWithOneIdentityAreRefused) {
  EXPECT_THAT(error_of(R"({"base": {"method": "unet"}, "grid": {"train.threads": [1, 2]}})"),
              AllOf(HasSubstr("unet threads=1"), HasSubstr("unet threads=2"),
                    HasSubstr("does not decide the result")));
  EXPECT_THAT(error_of(R"({"base": {"method": "unet"}, "grid": {"train.seed": [1, 2]},
                           "runs": [{"train.seed": 2}]})"),
              HasSubstr("are the same"));
}

TEST(SweepPlan, TooManyRunsAndRulesWithoutEffectAreMistakes) {
  EXPECT_THAT(error_of(R"({"base": {"method": "unet"}, "grid": {"train.seed": [1, 2, 3]},
                           "max_runs": 2})"),
              HasSubstr("3 runs are more than max_runs allows, 2"));
  EXPECT_EQ(error_of(R"({"base": {"method": "unet"}, "grid": {"train.seed": [1, 2, 3]},
                         "max_runs": 3})"),
            "no error");
  EXPECT_THAT(error_of(R"({"base": {"method": "unet"}, "max_runs": 3,
                           "groups": {"a": {"grid": {"train.seed": [1, 2]}},
                                      "b": {"grid": {"train.seed": [3, 4]}}}})"),
              HasSubstr("4 runs are more than max_runs allows, 3"));
  EXPECT_THAT(error_of(R"({"base": {"method": "unet"}, "exclude": [{"method": "mckd"}]})"),
              HasSubstr("matches no run"));
  EXPECT_THAT(error_of(R"({"base": {"method": "unet"}, "exclude": [{"method": "unet"}]})"),
              HasSubstr("no run is left"));
  std::string many = "[0";
  for (int i = 1; i < 1001; ++i) many += "," + std::to_string(i);
  many += "]";
  EXPECT_THAT(error_of(R"({"grid": {"train.seed": )" + many + R"(, "train.batch": )" + many + "}}"),
              HasSubstr("more than 1000000 combinations"));
}

TEST(SweepPlan, SettingsAndABaseFileAndItsShortForms) {
  const TemporaryDirectory folder;
  std::ofstream(folder / "run.json") << R"({"method": "unet", "data": "cache"})";
  const SweepDefinition definition = parse_definition(
      {{"base", "run.json"}}, folder / "two words; $x.json", {"train.batch=4", "data.split=fold2"});
  EXPECT_EQ(definition.name, "two-words---x");
  const Json& base = definition.groups[0].base;
  EXPECT_EQ(base["data"]["cache"], (std::filesystem::current_path() / "cache").string());
  EXPECT_EQ(base["data"]["split"], "fold2");
  EXPECT_EQ(base["train"]["batch"], 4);
  // What is kept says the same without the other file.
  const SweepDefinition again = parse_definition(definition.source, "elsewhere/sweep.json");
  EXPECT_EQ(again.groups[0].base, base);
  EXPECT_EQ(again.name, definition.name);
}

TEST(SweepPlan, SurvivesItsFile) {
  const SweepPlan plan = toy_plan(R"({"base": {"method": "unet"}, "evaluate": {"hd95": "none"},
    "report": {"partition": "cpu"},
    "groups": {"a": {"grid": {"train.seed": [1, 2]}},
               "b": {"after": ["a"], "grid": {"train.seed": [3]}, "resources": {"ranks": 2}}}})");
  const SweepPlan read = plan_from_text(plan_text(plan), "plan.json");
  EXPECT_EQ(plan_text(read), plan_text(plan));
  EXPECT_EQ(read.evaluate.hd95, "none");
  EXPECT_EQ(read.run_object(read.runs[2]), plan.run_object(plan.runs[2]));
}

TEST(SweepPlan, ADamagedFileIsRefusedWithWhatToDo) {
  const SweepPlan plan = toy_plan(R"({"base": {"method": "unet"}})");
  const std::string text = plan_text(plan);
  const auto error = [](const std::string& damaged) -> std::string {
    try {
      plan_from_text(damaged, "plan.json");
    } catch (const DataError& caught) {
      return caught.what();
    }
    return "no error";
  };
  EXPECT_THAT(error(text.substr(0, text.size() / 2)),
              AllOf(HasSubstr("plan.json: not a plan"), HasSubstr("Submit the sweep file again")));
  Json other = Json::parse(text);
  other["format"] = 99;
  EXPECT_THAT(error(other.dump()), HasSubstr("format 99"));
  other = Json::parse(text);
  other["runs"][0]["id"] = "../../etc";
  EXPECT_THAT(error(other.dump()), HasSubstr("no identity"));
  other = Json::parse(text);
  other["runs"][0]["group"] = 7;
  EXPECT_THAT(error(other.dump()), HasSubstr("not there"));
  for (const int group : {0, 1}) {  // it would wait for ever
    other = Json::parse(text);
    other["groups"][0]["after"] = {group};
    EXPECT_THAT(error(other.dump()), HasSubstr("waits for one that comes later")) << group;
  }
  other = Json::parse(text);
  other["runs"][0]["label"] = 5;
  EXPECT_THAT(error(other.dump()), HasSubstr("plan.json: not a plan"));
  EXPECT_THAT(error(std::string(300'000, '[')), HasSubstr("plan.json: not a plan"));
}

}  // namespace
}  // namespace lacuna::experiments
