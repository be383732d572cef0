#include "monitoring/report/report.h"

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/temporary_directory.h"
#include "base/text/json.h"
#include "tests/monitoring/synthetic_run.h"

namespace lacuna::monitoring {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string source(const std::string& name) {
  const char* root = std::getenv("LACUNA_SOURCE");
  return (std::filesystem::path(root ? root : ".") / "tests" / "monitoring" / name).string();
}

std::string python() {
  const char* program = std::getenv("LACUNA_PYTHON");
  return program ? program : "python3";
}

std::string two_runs(const TemporaryDirectory& directory) {
  write_synthetic_run(directory / "mckd", {});
  SyntheticRun unet;
  unet.method = "unet";
  unet.seed = 2;
  unet.skill = 0.79;
  unet.penalty = 0.16;
  unet.importance = false;
  write_synthetic_run(directory / "unet", unet);
  return make_report(read_runs({directory / "unet", directory / "mckd"}), "today");
}

std::filesystem::path save(const TemporaryDirectory& directory, const std::string& page) {
  const auto path = directory / "report.html";
  std::ofstream(path, std::ios::binary) << page;
  return path;
}

int shell(const std::string& command) { return std::system(command.c_str()); }

TEST(Report, IsWellFormedLoadsNothingAndShowsTheNumbersOfTheCsv) {
  const TemporaryDirectory directory;
  const auto path = save(directory, two_runs(directory));
  // Parses the page with Python's html.parser and computes the tables again from cases.csv.
  const std::string command = python() + " " + source("check_report.py") + " " + path.string() +
                              " " + (directory / "mckd").string() + " " +
                              (directory / "unet").string();
  EXPECT_EQ(shell(command), 0) << command;
}

TEST(Report, SaysInWordsWhichMethodIsTheMostRobust) {
  const TemporaryDirectory directory;
  const std::string page = two_runs(directory);
  EXPECT_THAT(page, HasSubstr("<b>mckd</b> is the most robust of 2 methods: mean Dice <b>"));
  EXPECT_THAT(page, HasSubstr("12 cases; each case, subset and region counts the same. With so "
                              "few cases, small differences mean little"));
}

TEST(Report, MarksWhatDiffersByMoreThanChanceAndSaysWhenNothingCan) {
  const TemporaryDirectory directory;
  SyntheticRun run;
  run.cases = 5;
  write_synthetic_run(directory / "a", run);
  run.skill = 0.5;
  run.method = "unet";
  write_synthetic_run(directory / "b", run);
  const auto few = make_report(read_runs({directory / "a", directory / "b"}), "today");
  EXPECT_THAT(few, HasSubstr("With fewer than 6 cases no difference can be significant"));
  EXPECT_THAT(few, Not(HasSubstr(" ★</td>")));
  EXPECT_THAT(two_runs(directory), HasSubstr(" ★</td>"));
}

TEST(Report, EscapesEveryNameThatUsersChoose) {
  const TemporaryDirectory directory;
  const std::string hostile = "</script><img src=x onerror=alert(1)>\"'&";
  SyntheticRun run;
  run.method = hostile;
  run.institution = hostile;
  run.case_prefix = hostile;
  write_synthetic_run(directory / "run", run);
  const std::string page = make_report(read_runs({directory / "run"}), hostile);
  EXPECT_THAT(page, Not(HasSubstr("<img src=x")));
  EXPECT_THAT(page, HasSubstr("&lt;/script&gt;&lt;img src=x"));
  const auto path = save(directory, page);
  EXPECT_EQ(shell(python() + " " + source("check_report.py") + " " + path.string() + " " +
                  (directory / "run").string()),
            0);
}

TEST(Report, ShowsCalibrationPerSubsetWhereItWasMeasured) {
  const TemporaryDirectory directory;
  write_synthetic_run(directory / "mckd", {});
  const auto page = [&] { return make_report(read_runs({directory / "mckd"}), "today"); };
  EXPECT_THAT(page(), Not(HasSubstr("id=\"calibration\"")));
  const auto scores = [](double ece, double brier) {
    return Json{{"ET", {{"calibration", {{"ece", ece}, {"brier", brier}}}}},
                {"WT", {{"calibration", {{"ece", nullptr}, {"brier", 0.25}}}}}};
  };
  const Json summary = {{"modalities", {"FLAIR", "T1", "T1c", "T2"}},
                        {"hd95_definition", "directed"},
                        {"mean", {{"scores", scores(0.02222, 0.03333)}}},
                        {"subsets",
                         {{{"subset", "FLAIR"}, {"scores", scores(0.01234, 0.05678)}},
                          {{"subset", "T1<b>"}, {"scores", scores(0.04321, 0.08765)}}}}};
  std::ofstream(directory / "mckd/eval/fold0-test/summary.json") << summary.dump();
  const std::string made = page();
  const std::size_t begin = made.find("<section id=\"calibration\"");
  ASSERT_NE(begin, std::string::npos);
  const std::string section = made.substr(begin, made.find("</section>", begin) - begin);
  const std::string none = "<td class=\"none\">–</td>";  // TC, and the ECE of WT
  EXPECT_THAT(section, HasSubstr("<th>FLAIR</th><td>0.0123</td>" + none + none + "<td>0.0568</td>" +
                                 none + "<td>0.2500</td>"));
  EXPECT_THAT(section, HasSubstr("<th>T1&lt;b&gt;</th><td>0.0432</td>"));
  EXPECT_THAT(section, HasSubstr("<th>mean</th><td>0.0222</td>"));
}

TEST(Report, ExplainsWhatAnEmptyRunDirectoryLacks) {
  const TemporaryDirectory directory;
  std::filesystem::create_directories(directory / "empty");
  const std::string page = make_report(read_runs({directory / "empty"}), "today");
  EXPECT_THAT(page, HasSubstr("No run has been evaluated yet."));
  EXPECT_THAT(page, HasSubstr("run.json is missing"));
  EXPECT_THAT(page, HasSubstr("No curves"));
  EXPECT_THAT(page, Not(HasSubstr("id=\"subsets\"")));
}

TEST(Report, LeavesOutRunsThatWereNotEvaluatedAndSaysSo) {
  const TemporaryDirectory directory;
  write_synthetic_run(directory / "whole", {});
  SyntheticRun partial;
  partial.method = "unet";
  write_synthetic_run(directory / "partial", partial);
  std::filesystem::remove_all(directory.path() / "partial" / "eval");
  const std::string page =
      make_report(read_runs({directory / "partial", directory / "whole"}), "today");
  EXPECT_THAT(page, HasSubstr("1 of 2 runs is not evaluated on fold0-test"));
  EXPECT_THAT(page, HasSubstr("<b>mckd</b> reaches a mean Dice of"));
}

TEST(Report, HundredRunsStaySmall) {
  const TemporaryDirectory directory;
  const std::string page = make_report(read_runs(write_hundred_runs(directory.path())), "today");
  EXPECT_LT(page.size(), 6'000'000u);
  save(directory, page);
}

}  // namespace
}  // namespace lacuna::monitoring
