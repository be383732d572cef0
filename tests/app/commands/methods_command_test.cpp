#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text/json.h"
#include "tests/run_program.h"

namespace lacuna {
namespace {

using ::testing::HasSubstr;

TEST(MethodsCommand, ListsEveryMethod) {
  const auto result = run_program("methods --json");
  ASSERT_EQ(result.code, 0) << result.err;
  std::vector<std::string> names;
  for (const Json& method : Json::parse(result.out)) names.push_back(method["name"]);
  EXPECT_THAT(names, ::testing::IsSupersetOf({"mckd", "shaspec", "unet"}));
  EXPECT_THAT(run_program("methods").out, HasSubstr("mckd"));
}

TEST(MethodsCommand, DescribesOneInFull) {
  const auto result = run_program("methods mckd --json");
  ASSERT_EQ(result.code, 0) << result.err;
  const Json json = Json::parse(result.out);
  EXPECT_EQ(json["parameters"]["shared_enc"], 35127872);  // the card's counts
  EXPECT_EQ(json["parameters"]["shared_dec"], 8528800);
  EXPECT_EQ(json["parameters"]["kd_weights"], 4);
  EXPECT_EQ(json["parameters"]["total"], 43656676);
  EXPECT_EQ(json["stages"].size(), 2u);
  EXPECT_EQ(json["stages"][0]["phases"][1]["name"], "meta");
  EXPECT_EQ(json["stages"][0]["phases"][1]["period"], 100);
  EXPECT_EQ(json["stages"][1]["phases"][1]["period"], 500);
  EXPECT_EQ(json["extent_multiple"], (Json{16, 32, 32}));
  EXPECT_THAT(json["source"].get<std::string>(), HasSubstr("2405.07155"));
  const std::string text = run_program("methods mckd").out;
  for (const char* part : {"35127872", "ET, WT, TC", "method_options.alpha", "every 500 steps"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(MethodsCommand, DescribesTheStagesAndPartsOfShaSpec) {
  const auto result = run_program("methods shaspec --json");
  ASSERT_EQ(result.code, 0) << result.err;
  const Json json = Json::parse(result.out);
  for (const char* part : {"shared_enc", "flair_enc", "t1_enc", "t1ce_enc", "t2_enc"}) {
    EXPECT_EQ(json["parameters"][part], 35127872) << part;
  }
  EXPECT_EQ(json["parameters"]["total"], 187708132);
  EXPECT_EQ(json["stages"][0]["steps"], 79999);
  EXPECT_EQ(json["stages"][1]["subsets"]["policy"], "cardinality");
  EXPECT_THAT(json["source"].get<std::string>(), HasSubstr("2307.14126"));
  for (const char* known : {"K-means", "per sample", "multihead_attn"}) {
    EXPECT_THAT(json["deviations"].get<std::string>(), HasSubstr(known));
  }
}

TEST(MethodsCommand, DescribesTheNetworksAndPhasesOfMstKdNet) {
  const auto result = run_program("methods mst-kdnet --json");
  ASSERT_EQ(result.code, 0) << result.err;
  const Json json = Json::parse(result.out);
  EXPECT_EQ(json["parameters"]["model_full"], 154335684);  // the card's counts
  EXPECT_EQ(json["parameters"]["model_missing"], 154335684);
  EXPECT_EQ(json["parameters"]["d_style"], 3149249);
  ASSERT_EQ(json["stages"].size(), 1u);
  const Json& phases = json["stages"][0]["phases"];
  ASSERT_EQ(phases.size(), 2u);
  EXPECT_EQ(phases[0]["trains"][0]["group"], "networks");
  EXPECT_EQ(phases[1]["trains"][0]["group"], "discriminator");
  EXPECT_EQ(json["axes"], "H, W, D");
  EXPECT_THAT(json["source"].get<std::string>(), HasSubstr("2507.22626"));
  for (const char* known : {"background channel", "over classes", "number of tokens"}) {
    EXPECT_THAT(json["deviations"].get<std::string>(), HasSubstr(known));
  }
}

TEST(MethodsCommand, IsReadableInATerminal) {
  for (const char* method : {"mckd", "mst-kdnet", "shaspec", "unet"}) {
    std::istringstream lines(run_program(std::string("methods ") + method).out);
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) EXPECT_LE(line.size(), 100u) << line;
    EXPECT_GT(count, 20);
  }
}

TEST(MethodsCommand, SuggestsTheNearestName) {
  const auto result = run_program("methods mckdd");
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("did you mean \"mckd\""));
}

}  // namespace
}  // namespace lacuna
