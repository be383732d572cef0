#include "base/text/text_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lacuna {
namespace {

using ::testing::ElementsAre;

TEST(TextTable, ColumnsAreAsWideAsTheirLongestCell) {
  TextTable table({{"run"}, {"Dice %", true}, {"reason"}});
  table.add({"a", "7.5", ""});
  table.add({"längste", "100.25", "lost: no answer"});
  EXPECT_EQ(table.text(),
            "run      Dice %  reason\n"
            "a           7.5\n"
            "längste  100.25  lost: no answer\n");
}

TEST(TextTable, WithoutHeadsThereIsNoHead) {
  TextTable table({{}, {"", true, 5}});
  table.add({"a", "1"});
  table.add({"bc"});
  EXPECT_THAT(table.lines(), ElementsAre("a       1", "bc"));
}

TEST(TextTable, LongCellsAreCutBetweenCharactersAndControlsNeverReachTheTerminal) {
  TextTable table({{"name", false, 0, 3}, {"x"}});
  table.add({"äöüß", "\x1b[31m\tred\x7f"});
  EXPECT_THAT(table.lines(), ElementsAre("nam  x", "äöü   [31m red"));
}

TEST(TextTable, ACellThatMustNotBeCutPushesTheRestOfItsLine) {
  TextTable table({{"value", false, 0, 5, /*cut=*/false}, {"meaning"}});
  table.add({"1", "one"});
  table.add({"/a/long/path", "two"});
  EXPECT_THAT(table.lines(), ElementsAre("value  meaning", "1      one", "/a/long/path  two"));
}

TEST(TextTable, ColumnsThatNobodyUsesStayInPlace) {
  EXPECT_THAT(TextTable({{"a", false, 4}, {"b"}}).lines(), ElementsAre("a     b"));
  EXPECT_THAT(TextTable({{}, {}}).lines(), ElementsAre());
}

}  // namespace
}  // namespace lacuna
