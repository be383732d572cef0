#include "data/cohorts/foreign_table.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"

namespace lacuna::data {
namespace {

using Row = TableRow;

TEST(ForeignTable, TakesWhatSpreadsheetsOfAnyCountryWrite) {
  const ForeignTable german =
      parse_foreign_table("\xEF\xBB\xBFID;Ort \r\n a ;\"M;x\"\r\n\r\nb;\r\n");
  EXPECT_EQ(german.header, (Row{"ID", "Ort"}));
  ASSERT_EQ(german.rows.size(), 2u);
  EXPECT_EQ(german.rows[0], (Row{"a", "M;x"}));
  EXPECT_EQ(german.rows[1], (Row{"b", ""}));
  const ForeignTable old = parse_foreign_table("id\tsite\rp1\tM\xFCnchen");
  EXPECT_EQ(old.rows.at(0), (Row{"p1", "M\xC3\xBCnchen"}));
  const ForeignTable quoted = parse_foreign_table("a,b\n\"x\"\"y\nz\",2\n");
  EXPECT_EQ(quoted.rows.at(0), (Row{"x\"y\nz", "2"}));
  const std::string wide("\xFF\xFEi\0d\0,\0s\0\n\0p\0,\0\xFC\0", 18);
  EXPECT_EQ(parse_foreign_table(wide).rows.at(0), (Row{"p", "\xC3\xBC"}));
  EXPECT_TRUE(parse_foreign_table("").header.empty());
}

TEST(ForeignTable, FindsColumnsByTheBeginningOfTheirName) {
  const ForeignTable table = parse_foreign_table(
      "Site Notes,BraTS2021,Site No (represents the originating institution),Site\n");
  EXPECT_EQ(table.column("site no"), 0);  // the first that goes on
  EXPECT_EQ(table.column("Site"), 3);     // an equal one comes before
  EXPECT_EQ(table.column("brats2021"), 1);
  EXPECT_EQ(table.column("grade"), -1);
  EXPECT_EQ(table.column("?"), -1);
}

TEST(ForeignTable, KnowsUtf8) {
  EXPECT_TRUE(is_utf8("M\xC3\xBCnchen \xF0\x9F\xA7\xA0"));
  for (const char* bad :
       {"\xFC", "\xC3", "\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80"}) {
    EXPECT_FALSE(is_utf8(bad)) << bad;
  }
}

TEST(ForeignTable, NamesSpreadsheets) {
  TemporaryDirectory folder;
  std::ofstream(folder / "a.xlsx") << "PK\x03\x04rest";
  try {
    read_foreign_table(folder / "a.xlsx");
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("Save it as CSV"));
  }
}

}  // namespace
}  // namespace lacuna::data
