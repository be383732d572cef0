// make compare at toy size: whatever methods are built in, one row each.
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "base/text/json.h"
#include "tests/run_program.h"

namespace lacuna::tests {
namespace {

TEST(Compare, HasARowForEveryMethodThatIsBuiltIn) {
  const Scratch scratch;
  const std::filesystem::path program = std::getenv("LACUNA_PROGRAM");
  const std::string command = fmt::format(
      "'{}/tools/compare' '{}' --toy --out '{}' >'{}' 2>&1", std::getenv("LACUNA_SOURCE"),
      program.parent_path().string(), scratch.text("compare"), scratch.text("log"));
  ASSERT_EQ(std::system(command.c_str()), 0) << read_text(scratch / "log");

  std::set<std::string> built, compared;
  for (const Json& entry : Json::parse(run_program("methods --json").out)) {
    built.insert(entry.at("name").get<std::string>());
  }
  for (const Json& row : read_json(scratch / "compare/compare.json")) {
    compared.insert(row.at("method").get<std::string>());
    EXPECT_EQ(row.at("dice").size(), 15u);
    for (const char* key : {"step_seconds", "peak_bytes", "evaluation_seconds_per_case", "rank"}) {
      EXPECT_GT(row.at(key).get<double>(), 0) << key;
    }
  }
  EXPECT_EQ(compared, built);
  EXPECT_GT(read_json(scratch / "compare/compare.json").back().at("gain").get<double>(), 0);
  const std::string text = read_text(scratch / "compare/compare.md");
  for (const char* column : {"| ●○○○ |", "| 1 of 4 |", "| lesion-wise |", "| encode once |"}) {
    EXPECT_NE(text.find(column), std::string::npos) << column;
  }
  EXPECT_TRUE(std::filesystem::exists(scratch / "compare/report.html"));
}

}  // namespace
}  // namespace lacuna::tests
