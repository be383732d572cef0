#include "worker/run/run_config.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/file_system.h"
#include "methods/registry.h"
#include "worker/run/run_progress.h"

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
              HasSubstr("fp32, tf32, bf16"));
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

// Runs as the first release resolved and named them: every key that came since must be declared
// with added_later(), or finished runs and sweeps are not found any more.
TEST(RunConfig, RunsKeepTheIdentityThatTheFirstReleaseGaveThem) {
  const char* source = std::getenv("LACUNA_SOURCE");
  if (source == nullptr) GTEST_SKIP() << "LACUNA_SOURCE is not set: use tools/run-tests";
  const Json released = read_json(Path(source) / "tests/fixtures/released/identities.json");
  ASSERT_GT(released.size(), 4);
  for (const Json& entry : released) {
    const RunConfig now = resolve_saved_run(entry.at("run"), "state.json");
    EXPECT_EQ(now.hash, entry.at("hash")) << entry.at("run").at("method");
    EXPECT_THAT(differing_keys(entry.at("run"), now.resolved), ::testing::IsEmpty());
    EXPECT_EQ(resolve_run(entry.at("run"), "run.json").hash, entry.at("hash"))
        << "a key that came later has another default for " << entry.at("run").at("method");
  }
}

TEST(RunConfig, AKeyThatCameLaterCountsOnlyWhenItIsUsed) {
  const RunConfig run = resolve_run({{"method", "unet"}}, "run.json");
  ASSERT_TRUE(find_path(run.resolved, "init.identity"));
  Json older = run.resolved;
  older.erase("init");
  EXPECT_THAT(differing_keys(older, run.resolved), ::testing::IsEmpty());
  EXPECT_EQ(resolve_saved_run(older, "state.json").hash, run.hash);
  Json other = run.resolved;
  other["init"]["identity"] = "something";
  EXPECT_THAT(differing_keys(older, other), ElementsAre("init.identity: not set, \"something\""));
  EXPECT_NE(resolve_run(other, "run.json").hash, run.hash);
}

TEST(RunProgressState, AStateOfAnotherProgramIsReadOrNamed) {
  RunProgress progress;
  progress.step = 7;
  progress.best_step = 5;
  progress.best_score = 0.5;
  EXPECT_EQ(RunProgress::from_json(progress.to_json()).to_json(), progress.to_json());
  EXPECT_EQ(progress.to_json().at("format"), 1);
  const RunProgress oldest = RunProgress::from_json({{"step", 3}});
  EXPECT_EQ(oldest.step, 3);
  EXPECT_EQ(oldest.best_step, std::nullopt);
  EXPECT_THROW(RunProgress::from_json({{"stage", "x"}}), Json::exception);
  try {
    RunProgress::from_json({{"format", 2}, {"step", 3}});
    ADD_FAILURE() << "a state of a newer program was taken";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("a newer program wrote it"));
  }
}

}  // namespace
}  // namespace lacuna::worker
