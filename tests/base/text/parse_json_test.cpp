#include "base/text/parse_json.h"

#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/temporary_directory.h"

namespace lacuna {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string nested(int depth) {
  return std::string(static_cast<std::size_t>(depth), '[') +
         std::string(static_cast<std::size_t>(depth), ']');
}

std::string error_of(const std::string& text) {
  try {
    parse_json(text, "x.json");
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ParseJson, SaysWhereAndWhat) {
  EXPECT_EQ(parse_json(R"({"a": [1, 2]})", "x.json").dump(), R"({"a":[1,2]})");
  EXPECT_THAT(error_of("{\"a\": \n1,}"),
              AllOf(HasSubstr("x.json: not valid JSON"), HasSubstr("line 2")));
  EXPECT_THAT(error_of(""), HasSubstr("x.json: not valid JSON"));
  EXPECT_THAT(error_of("{\"a\": \"c\xe9\"}"), HasSubstr("UTF-8"));
  EXPECT_THAT(error_of("{} // no comments here"), HasSubstr("not valid JSON"));
}

// 300 000 levels end in a crash where a copy or a dump of them is made.
TEST(ParseJson, ADepthThatNobodyWritesIsRefused) {
  EXPECT_EQ(error_of(nested(kMaxJsonDepth)), "no error");
  for (const int depth : {kMaxJsonDepth + 2, 300'000}) {
    EXPECT_THAT(error_of(nested(depth)), HasSubstr("nested deeper than 100 levels"));
    EXPECT_THAT(error_of("{\"a\":" + nested(depth) + "}"), HasSubstr("nested deeper"));
    EXPECT_TRUE(parse_json_line(nested(depth)).is_discarded());
  }
  EXPECT_THAT(error_of(std::string(300'000, '[')), HasSubstr("nested deeper"));
}

TEST(ParseJson, InOrderTheSameBoundsHold) {
  EXPECT_EQ(parse_ordered_json(R"({"b": 1, /* why */ "a": 2})", "x.json").dump(),
            R"({"b":1,"a":2})");
  for (const std::string& text : {nested(300'000), std::string("{\"a\": 1,}")}) {
    EXPECT_THROW(parse_ordered_json(text, "x.json"), ConfigError);
  }
}

TEST(ParseJson, ALineThatIsNotValidIsDiscarded) {
  EXPECT_TRUE(parse_json_line("{\"a\": 1").is_discarded());
  EXPECT_FALSE(parse_json_line("{\"a\": 1").is_object());
  EXPECT_EQ(parse_json_line("{\"a\": 1}").at("a"), 1);
}

TEST(ParseJson, AFieldOfAnotherTypeIsNamedOrReplaced) {
  const Json json = {{"a", "text"}, {"n", nullptr}};
  try {
    convert_json("x.json", "a plan", [&] { return json.at("a").get<int>(); });
    ADD_FAILURE() << "a text was taken for a number";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("x.json: not a plan: "));
  }
  EXPECT_THROW(convert_json<ConfigError>("x", "a plan", [&] { return json.at("b"); }), ConfigError);
  EXPECT_EQ(field_or(json, "a", 5), 5);
  EXPECT_EQ(field_or(json, "n", 5), 5);
  EXPECT_EQ(field_or(json, "none", 5), 5);
  EXPECT_EQ(field_or<std::string>(json, "a", ""), "text");
  EXPECT_EQ(field_or(Json(3), "a", 5), 5);
}

TEST(ReadJson, TakesCommentsAndNamesTheFile) {
  const TemporaryDirectory folder;
  std::ofstream(folder / "run.json") << "{\"a\": 1} // [[[ \" a comment\n";
  EXPECT_EQ(read_json(folder / "run.json").at("a"), 1);
  const auto message = [](const std::filesystem::path& path) -> std::string {
    try {
      read_json(path);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message(folder / "none.json"), HasSubstr("none.json: cannot be opened"));
  EXPECT_THAT(message(folder.path()), HasSubstr("cannot be opened"));
  std::ofstream(folder / "deep.json") << nested(200'000);
  EXPECT_THAT(message(folder / "deep.json"), HasSubstr("deep.json: not valid JSON: it is nested"));
}

}  // namespace
}  // namespace lacuna
