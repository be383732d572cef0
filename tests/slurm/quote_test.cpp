#include "slurm/quote.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/process/child_process.h"
#include "tests/slurm/nasty.h"

namespace lacuna::tests {
namespace {

TEST(Quote, BashReadsEveryNastyStringBackAsItIs) {
  for (const std::string& text : nasty_strings()) {
    const std::string script = "printf '%s' " + slurm::bash_quoted(text);
    EXPECT_EQ(run_command({{"bash", "-c", script}}, 30).output, text);
    const std::string line = slurm::bash_line({"printf", "%s|%s", text, ""});
    EXPECT_EQ(run_command({{"bash", "-c", line}}, 30).output, text + "|");
  }
}

TEST(Quote, OnlyNamedVariablesAreReplacedAndTheirValuesAreNotReadAgain) {
  for (const std::string& text : nasty_strings()) {
    const std::string word = slurm::bash_quoted("{task}" + text + "/{task}", {{"task", "task"}});
    ChildOptions options{{"bash", "-c", "printf '%s' " + word}, {{"task", "a b$(id)*"}}};
    EXPECT_EQ(run_command(options, 30).output, "a b$(id)*" + text + "/a b$(id)*");
  }
}

TEST(Quote, AnEmptyWordStaysAWordAndANulByteIsRefused) {
  EXPECT_EQ(slurm::bash_quoted(""), "''");
  EXPECT_EQ(slurm::bash_quoted("", {{"task", "task"}}), "''");
  EXPECT_THROW(slurm::bash_quoted(std::string("a\0b", 3)), ConfigError);
}

TEST(Quote, PlainWordsStayReadable) {
  EXPECT_EQ(slurm::bash_line({"sbatch", "--output=/a/%A_%a.log", "it's"}),
            "sbatch --output=/a/%A_%a.log 'it'\\''s'");
}

}  // namespace
}  // namespace lacuna::tests
