#include "base/files/csv.h"

#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/text/utf8.h"

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

std::string utf16(std::string_view ascii, bool big) {
  std::string text = big ? "\xFE\xFF" : "\xFF\xFE";
  for (const char c : ascii) {
    if (big) text += '\0';
    text += c;
    if (!big) text += '\0';
  }
  return text;
}

// As spreadsheets of any country save it.
TEST(Table, TakesWhatSpreadsheetsWrite) {
  const std::vector<std::vector<std::string>> expected = {{"Site", "Id"},
                                                          {"M\u00fcnchen, Ost", "7"}};
  const auto rows = [](std::string_view bytes) { return parse_table(bytes, "t.csv").rows; };
  EXPECT_EQ(rows("Site,Id\n\"M\u00fcnchen, Ost\",7\n"), expected);
  EXPECT_EQ(rows("\xEF\xBB\xBFSite,Id\r\n\"M\u00fcnchen, Ost\",7\r\n"), expected);
  EXPECT_EQ(rows("Site;Id\r\nM\u00fcnchen, Ost;7"), expected) << "semicolons";
  EXPECT_EQ(rows("Site\tId\rM\u00fcnchen, Ost\t7\r"), expected) << "tabs, old line ends";
  EXPECT_EQ(rows("sep=;\r\nSite;Id\r\nM\u00fcnchen, Ost;7\r\n\r\n"), expected);
  EXPECT_EQ(rows("Site;Id\nM\xFCnchen, Ost; 7 \n"), expected) << "Latin-1, blanks";
  EXPECT_EQ(rows("Site|x;Id\n\x80\x9C;\n").at(1).at(0), "\u20ac\u0153") << "Windows-1252";
  const std::vector<std::vector<std::string>> plain = {{"a", "b"}, {"1", "2"}};
  EXPECT_EQ(rows(utf16("a;b\r\n1;2\r\n", false)), plain);
  EXPECT_EQ(rows(utf16("a\tb\n1\t2", true)), plain);
  EXPECT_EQ(rows(utf16("a,b\n1,2\n", false).substr(2)), plain) << "without its mark";
}

TEST(Table, AQuoteWithinAFieldIsAQuote) {
  const auto table = parse_table("a,b\n5\" wide,\"say \"\"x\"\"\"\n", "t.csv");
  EXPECT_EQ(table.rows.at(1), (std::vector<std::string>{"5\" wide", "say \"x\""}));
}

TEST(Table, WhatIsNoTableIsNamed) {
  const auto error_of = [](std::string_view bytes) -> std::string {
    try {
      parse_table(bytes, "t.csv");
    } catch (const DataError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(error_of("PK\x03\x04zip"),
              HasSubstr("t.csv: a workbook, not a table. Save it as CSV"));
  EXPECT_THAT(error_of({"a,b\n1\0,2\n", 9}), HasSubstr("zero bytes"));
  EXPECT_THAT(error_of("a,b\n1,\"2\n3,4\n"), HasSubstr("line 2: a quote"));
  EXPECT_EQ(error_of(""), "no error");
}

TEST(Csv, ADecimalCommaIsReadWhereItCanBeNothingElse) {
  EXPECT_EQ(Csv::parse("case;dice\nx;0,85\n", "t.csv").number(0, "dice"), 0.85);
}

TEST(Utf8, TellsWhatIs) {
  for (const char* text : {"", "a", "\u00e9", "\u20ac", "\U0001f600"}) EXPECT_TRUE(is_utf8(text));
  for (const char* text : {"\xe9", "c\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80",
                           "\xe2\x82", "\xe2\x28\xa1"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
}

}  // namespace
}  // namespace lacuna
