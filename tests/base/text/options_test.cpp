#include "base/text/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace lacuna {
namespace {

using ::testing::HasSubstr;

const Schema& schema() {
  static const Schema instance({
      {"method", Option::Type::kString, "\"a\"", "which method", "", {"a", "b"}},
      {"train.batch", Option::Type::kInteger, "2", "samples per step", "", {}, 1, 64},
      {"train.patch", Option::Type::kIntegers, "[8,8,8]", "crop", "voxels", {}, 1},
  });
  return instance;
}

std::string message_for(const char* user) {
  try {
    schema().resolve(Json::parse(user), "run.json");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Schema, FillsInDefaults) {
  const Json resolved = schema().resolve(Json::parse(R"({"train": {"batch": 4}})"), "run.json");
  EXPECT_EQ(resolved.dump(), R"({"method":"a","train":{"batch":4,"patch":[8,8,8]}})");
}

TEST(Schema, NamesTheNearestKnownKey) {
  EXPECT_EQ(message_for(R"({"train": {"bacth": 4}})"),
            "run.json: unknown key train.bacth. Did you mean train.batch?");
}

TEST(Schema, RefusesWrongTypesAndRanges) {
  EXPECT_THAT(message_for(R"({"train": {"batch": "many"}})"), HasSubstr("expected a whole number"));
  EXPECT_THAT(message_for(R"({"train": {"batch": 0}})"), HasSubstr("1 to 64"));
  EXPECT_THAT(message_for(R"({"train": {"patch": [8, 0, 8]}})"), HasSubstr("at least 1 voxels"));
  EXPECT_THAT(message_for(R"({"method": "c"})"), HasSubstr("allowed: a, b"));
  EXPECT_THAT(message_for(R"({"train": 3})"), HasSubstr("is a section"));
}

// What programs did before the key is not always what is best today.
TEST(Schema, ARunOfAProgramWithoutAKeyIsCompletedWithWhatThatProgramDid) {
  Option key{"train.scaling", Option::Type::kNumber, "0.5", "how much"};
  EXPECT_EQ(added_later(key).absent, "0.5");
  key.absent = "1";
  const Schema schema({key, {"train.batch", Option::Type::kInteger, "2", "samples per step"}});
  Json saved = {{"train", {{"batch", 3}}}};
  schema.complete(saved);
  EXPECT_EQ(saved.dump(), R"({"train":{"batch":3,"scaling":1}})");
  Json newer = {{"train", {{"scaling", 0.5}}}};
  schema.complete(newer);
  EXPECT_EQ(newer.dump(), R"({"train":{"scaling":0.5}})");
  EXPECT_TRUE(schema.is_absent("train.scaling", 1));
  EXPECT_FALSE(schema.is_absent("train.scaling", 0.5));
  EXPECT_FALSE(schema.is_absent("train.batch", 2));
}

TEST(SetPath, ReadsJsonAndFallsBackToText) {
  Json object = Json::object();
  set_path(object, "train.batch=4");
  set_path(object, "method=a+b");
  EXPECT_EQ(object.dump(), R"({"method":"a+b","train":{"batch":4}})");
  EXPECT_THROW(set_path(object, "no value"), ConfigError);
}

}  // namespace
}  // namespace lacuna
