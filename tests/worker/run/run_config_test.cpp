#include "worker/run/run_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "methods/registry.h"

namespace lacuna::worker {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string error_of(const Json& user) {
  try {
    resolve_run(user, "run.json");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

TEST(RunConfig, TheShortestFileTakesEverythingFromTheCard) {
  const RunConfig run = resolve_run({{"method", "mckd"}, {"data", "/data/cache"}}, "run.json");
  EXPECT_EQ(run.cache, "/data/cache");
  EXPECT_EQ(run.steps, 115'000);
  EXPECT_EQ(run.batch, 2);
  EXPECT_EQ(run.width, 1);
  EXPECT_EQ(run.method_options.at("alpha"), 0.1);
  EXPECT_FALSE(run.patch || run.subsets || run.meta_period || run.learning_rate);
  EXPECT_EQ(run.validate_every, 11'500);
}

TEST(RunConfig, ValuesOfTheUserWin) {
  const RunConfig run = resolve_run({{"method", "mckd"},
                                     {"train", {{"steps", 1e3}, {"precision", "bf16"}}},
                                     {"data", {{"patch", {32, 64, 96}}}},
                                     {"subsets", {{"policy", "uniform"}}},
                                     {"meta", {{"period", 50}}}},
                                    "run.json");
  EXPECT_EQ(run.steps, 1000);
  EXPECT_EQ(run.precision, "bf16");
  EXPECT_EQ(run.patch, (data::Extent{32, 64, 96}));
  EXPECT_EQ(run.subsets->at("policy"), "uniform");
  EXPECT_EQ(run.meta_period, 50);
  EXPECT_EQ(run.validate_every, 100);
}

TEST(RunConfig, AnUnknownKeyIsRefusedWithTheNearest) {
  EXPECT_THAT(error_of({{"method", "mckd"}, {"train", {{"bach", 4}}}}),
              AllOf(HasSubstr("run.json: unknown key train.bach"), HasSubstr("train.batch")));
  EXPECT_THAT(error_of({{"method", "mckd"}, {"method_options", {{"alfa", 4}}}}),
              HasSubstr("method_options.alpha"));
  EXPECT_THAT(error_of({{"method", "mkcd"}}), HasSubstr("mckd"));
  EXPECT_THAT(error_of({{"data", "cache"}}), HasSubstr("\"method\" is missing"));
}

TEST(RunConfig, ASettingBesideTheShortFormOfDataKeepsTheCache) {
  const RunConfig run =
      resolve_run({{"method", "unet"}, {"data", "/cache"}}, "run.json", {"data.patch=[64,64,64]"});
  EXPECT_EQ(run.cache, "/cache");
  ASSERT_TRUE(run.patch);
  EXPECT_EQ(run.patch->at(0), 64);
}

TEST(RunConfig, ImpossibleValuesAreRefusedWithTheirPath) {
  EXPECT_THAT(error_of({{"method", "mckd"}, {"train", {{"batch", 0}}}}), HasSubstr("train.batch"));
  EXPECT_THAT(error_of({{"method", "mckd"}, {"train", {{"precision", "fp8"}}}}),
              HasSubstr("fp32, bf16"));
  EXPECT_THAT(error_of({{"method", "mckd"}, {"data", {{"patch", {32, 32}}}}}),
              HasSubstr("three sizes"));
}

TEST(RunConfig, APatchThatTheNetworkCannotTakeNamesTheAllowedSizes) {
  EXPECT_THAT(error_of({{"method", "mckd"}, {"data", {{"patch", {33, 64, 64}}}}}),
              AllOf(HasSubstr("data.patch"), HasSubstr("multiples of"), HasSubstr("nearest: 32")));
}

TEST(RunConfig, TheHashFollowsWhatDecidesTheResultAndNothingElse) {
  const auto hash = [](const char* setting) {
    std::vector<std::string> settings;
    if (*setting) settings.push_back(setting);
    return resolve_run({{"method", "mckd"}, {"data", "cache"}}, "run.json", settings).hash;
  };
  const std::string plain = hash("");
  EXPECT_EQ(plain.size(), 16u);
  for (const char* neutral : {"log.every=3", "train.threads=7", "checkpoint.keep=9"}) {
    EXPECT_EQ(hash(neutral), plain) << neutral;
  }
  for (const char* deciding : {"train.seed=2", "train.steps=7", "method_options.alpha=0.2",
                               "model.width=0.5", "subsets.policy=full", "train.precision=bf16"}) {
    EXPECT_NE(hash(deciding), plain) << deciding;
  }
}

TEST(RunConfig, AResolvedRunResolvesToItself) {
  RunConfig run = resolve_run({{"method", "mckd"}, {"data", "cache"}}, "run.json");
  Json stored = run.resolved;
  stored[kProvenanceKey] = {{"host", "here"}};
  const RunConfig again = resolve_run(stored, "run.json");
  EXPECT_EQ(again.resolved, run.resolved);
  EXPECT_EQ(again.hash, run.hash);
  EXPECT_TRUE(differing_keys(stored, run.resolved).empty());
}

TEST(RunConfig, NamesTheKeysThatDiffer) {
  const auto resolve = [](const char* setting) {
    return resolve_run({{"method", "mckd"}}, "run.json", {setting}).resolved;
  };
  EXPECT_THAT(differing_keys(resolve("train.batch=2"), resolve("train.batch=4")),
              ElementsAre("train.batch: 2, 4"));
  EXPECT_THAT(differing_keys(resolve("log.every=2"), resolve("log.every=4")), ElementsAre());
}

TEST(RunConfig, EveryKeyOfEveryMethodIsExplained) {
  for (const auto* entry : methods::all_methods()) {
    for (const Option& option : run_options(entry->name)) {
      EXPECT_FALSE(option.meaning.empty()) << entry->name << " " << option.path;
      EXPECT_TRUE(Json::accept(option.fallback)) << option.path;
    }
  }
}

}  // namespace
}  // namespace lacuna::worker
