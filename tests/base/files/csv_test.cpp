#include "base/files/csv.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace lacuna {
namespace {

using testing::HasSubstr;

TEST(Csv, ReadsQuotedFieldsByColumnName) {
  const Csv table =
      Csv::parse("case,site,dice\r\n\"a,\"\"b\"\"\",\"two\nlines\",0.5\nc,,\n", "t.csv");
  ASSERT_EQ(table.rows(), 2u);
  EXPECT_EQ(table.text(0, "case"), "a,\"b\"");
  EXPECT_EQ(table.text(0, "site"), "two\nlines");
  EXPECT_EQ(table.number(0, "dice"), 0.5);
  EXPECT_TRUE(std::isnan(table.number(1, "dice")));
}

std::string message(const char* text, const char* column) {
  try {
    Csv::parse(text, "t.csv").number(0, column);
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

TEST(Csv, SaysWhatIsWrongAndWhere) {
  EXPECT_THAT(message("", "a"), HasSubstr("t.csv: empty"));
  EXPECT_THAT(message("a,b\n1\n", "a"), HasSubstr("row 1 has 1 fields, the header has 2"));
  EXPECT_THAT(message("a,b\n1,x\n", "b"), HasSubstr("\"x\" is no number"));
  EXPECT_THAT(message("a,b\n1,2\n", "c"), HasSubstr("no column c; there are a, b"));
}

}  // namespace
}  // namespace lacuna
