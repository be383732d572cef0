#include "methods/shared/option_binding.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace lacuna::methods {
namespace {

enum class Fill { kMean, kFirst };

struct Deep {
  double factor;
};

struct Bound {
  bool official, detach;
  double alpha, weight;
  int choices;
  std::int64_t minimum;
  Fill fill;
  std::string name;
  std::optional<double> given;
  std::optional<std::string> subset;
  Deep deep;
};

const OptionBinding<Bound>& binding() {
  static const auto options =
      OptionBinding<Bound>()
          .flag("official", &Bound::official, false, "The published code.")
          .flag("detach", &Bound::detach, by_official(true, false), "No gradient.")
          .number("alpha", &Bound::alpha, 0.1, "A weight.", {.minimum = 0, .maximum = 2})
          .number("weight", &Bound::weight, by_official(0.5, 1e8), "Another.")
          .integer("choices", &Bound::choices, 3, "How many.", {.minimum = 3, .unit = "crops"})
          .integer("minimum", &Bound::minimum, by_official(0, 500), "Least.")
          .choice("fill", &Bound::fill, by_official("mean", "first"),
                  {{"mean", Fill::kMean}, {"first", Fill::kFirst}}, "What is borrowed.")
          .text("name", &Bound::name, "none", "A name.")
          .number("given", &Bound::given, std::nullopt, "If anything.")
          .text("subset", &Bound::subset, std::nullopt, "One of them.")
          .number(
              "factor", [](Bound& bound) -> double& { return bound.deep.factor; }, 7, "Deep.");
  return options;
}

Bound parse(const Json& given) {
  return binding().parse(Schema(binding().declared()).resolve(given, "test"));
}

TEST(OptionBinding, DefaultsAreThoseOfTheStatement) {
  const Bound bound = parse(Json::object());
  EXPECT_FALSE(bound.official);
  EXPECT_TRUE(bound.detach);
  EXPECT_EQ(bound.alpha, 0.1);
  EXPECT_EQ(bound.weight, 0.5);
  EXPECT_EQ(bound.choices, 3);
  EXPECT_EQ(bound.minimum, 0);
  EXPECT_EQ(bound.fill, Fill::kMean);
  EXPECT_EQ(bound.name, "none");
  EXPECT_FALSE(bound.given);
  EXPECT_FALSE(bound.subset);
  EXPECT_EQ(bound.deep.factor, 7);
}

TEST(OptionBinding, WhatAUserWritesArrivesAndIsCheckedAgainstTheStatement) {
  const Bound bound = parse({{"detach", false},
                             {"alpha", 2},
                             {"choices", 4},
                             {"fill", "first"},
                             {"given", 0.25},
                             {"subset", "T1+T2"},
                             {"factor", 1.5}});
  EXPECT_FALSE(bound.detach);
  EXPECT_EQ(bound.alpha, 2);
  EXPECT_EQ(bound.choices, 4);
  EXPECT_EQ(bound.fill, Fill::kFirst);
  EXPECT_EQ(bound.given, 0.25);
  EXPECT_EQ(bound.subset, "T1+T2");
  EXPECT_EQ(bound.deep.factor, 1.5);
  EXPECT_THROW(parse({{"alpha", 2.1}}), ConfigError);
  EXPECT_THROW(parse({{"choices", 2}}), ConfigError);
  EXPECT_THROW(parse({{"fill", "last"}}), ConfigError);
  EXPECT_THROW(parse({{"alpha", nullptr}}), ConfigError);
}

TEST(OptionBinding, AnOptionThatCameLaterIsAbsentAtItsDefault) {
  const auto later = OptionBinding<Bound>()
                         .number("alpha", &Bound::alpha, 0.1, "A weight.")
                         .flag("detach", &Bound::detach, by_official(true, false), "No gradient.")
                         .integer("choices", &Bound::choices, 3, "How many.")
                         .added_later(2);
  const Schema schema(later.declared());
  EXPECT_FALSE(schema.is_absent("alpha", 0.1));
  EXPECT_TRUE(schema.is_absent("detach", nullptr));
  EXPECT_FALSE(schema.is_absent("detach", true));
  EXPECT_TRUE(schema.is_absent("choices", 3));
  EXPECT_FALSE(schema.is_absent("choices", 4));
}

TEST(OptionBinding, OfficialDecidesWhatIsNullAndNothingElse) {
  const Bound official = parse({{"official", true}});
  EXPECT_FALSE(official.detach);
  EXPECT_EQ(official.weight, 1e8);
  EXPECT_EQ(official.minimum, 500);
  EXPECT_EQ(official.fill, Fill::kFirst);
  EXPECT_EQ(official.alpha, 0.1);
  EXPECT_FALSE(official.given);
  const Bound changed = parse({{"official", true}, {"fill", "mean"}, {"minimum", 0}});
  EXPECT_EQ(changed.fill, Fill::kMean);
  EXPECT_EQ(changed.minimum, 0);
  EXPECT_EQ(changed.weight, 1e8);
}

// A run file's bytes decide its hash: 7, not 7.0, as people write it.
TEST(OptionBinding, DeclaresForUsersWhatItParses) {
  const Json resolved = Schema(binding().declared()).resolve(Json::object(), "test");
  EXPECT_EQ(resolved.at("factor").dump(), "7");
  EXPECT_EQ(resolved.at("alpha").dump(), "0.1");
  EXPECT_EQ(resolved.at("name").dump(), "\"none\"");
  EXPECT_TRUE(resolved.at("fill").is_null());
  const auto option = [&](const std::string& path) {
    for (const Option& each : binding().declared()) {
      if (each.path == path) return each;
    }
    return Option{};
  };
  EXPECT_EQ(option("fill").meaning, "What is borrowed. null: mean, with official first.");
  EXPECT_EQ(option("weight").meaning, "Another. null: 0.5, with official 100000000.");
  EXPECT_EQ(option("fill").allowed, (std::vector<std::string>{"mean", "first"}));
  EXPECT_TRUE(option("given").nullable);
  EXPECT_FALSE(option("alpha").nullable);
  EXPECT_EQ(option("choices").unit, "crops");
  EXPECT_EQ(option("alpha").maximum, 2);
}

}  // namespace
}  // namespace lacuna::methods
