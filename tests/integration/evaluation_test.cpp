// eval, predict and metrics on one toy model: three ways to the same numbers, and what they say
// when something is missing. Through the program itself.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text/json.h"
#include "tests/comm/run_ranks.h"
#include "tests/run_program.h"

namespace lacuna::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::vector<std::string> fields(const std::string& line, char separator = ',') {
  std::vector<std::string> parts;
  std::istringstream stream(line);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

// A cohort of eight tiny cases and a narrow network after three steps.
class TrainedModel : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new Scratch;
    must("phantom --out " + path("raw") + " --cases 8 --size 40,64,64 --quiet");
    must("ingest --in " + path("raw") + " --out " + path("cache") + " --quiet");
    const Json run = {{"method", "mckd"},
                      {"data", {{"cache", path("cache")}, {"patch", {32, 64, 64}}}},
                      {"model", {{"width", 0.0625}}},
                      {"train", {{"steps", 3}, {"batch", 1}, {"threads", 1}}},
                      {"validate", {{"every", 0}}}};
    std::ofstream(path("run.json")) << run;
    must("train " + path("run.json") + " --out " + path("run"));
  }

  static void TearDownTestSuite() { delete scratch_; }

  static std::string path(const std::string& name) { return scratch_->text(name); }
  static ProgramResult must(const std::string& arguments) {
    auto result = run_program(arguments);
    EXPECT_EQ(result.code, 0) << arguments << "\n" << result.err;
    return result;
  }

  static inline Scratch* scratch_ = nullptr;  // made once: the tests only read what is in it
};

// The commands that --reproduce prints, run as they stand: equal weights, equal tables.
TEST_F(TrainedModel, IsMadeAgainByWhatInspectPrints) {
  must("eval " + path("run") +
       " --part train --seen-cases --subsets FLAIR,T1+T2 --no-hd95 --scores lesion2023-gli "
       "--quiet --out " +
       path("run/eval/kept"));
  const Json made = Json::parse(must("inspect " + path("run") + " --reproduce --json").out);
  ASSERT_EQ(made.at("commands").size(), 2u) << made.dump(2);
  EXPECT_EQ(made.at("notes").size(), 1u) << made.dump(2);
  for (const Json& each : made.at("commands")) {
    const std::string command = each;
    ASSERT_THAT(command, StartsWith("lacuna "));
    must(command.substr(std::string("lacuna ").size()) + " --quiet");
  }
  for (const char* name : {"checkpoints/step-00000003/model.safetensors", "eval/kept/cases.csv",
                           "eval/kept/table.md"}) {
    const std::string before = read_text(path("run") + "/" + name);
    EXPECT_FALSE(before.empty()) << name;
    EXPECT_EQ(read_text(path("run-again") + "/" + name), before) << name;
  }
  // What is no longer as it was is said.
  fs::rename(path("cache"), path("elsewhere"));
  const std::string told = must("inspect " + path("run") + " --reproduce").out;
  fs::rename(path("elsewhere"), path("cache"));
  EXPECT_THAT(told, HasSubstr("# no cohort at " + path("cache")));
  EXPECT_EQ(run_program("inspect " + path("cache") + " --reproduce").code, 2);
}

// The file's mask comes back turned to the axes of the case: it lies where the truth lies.
TEST_F(TrainedModel, ACaseIsDrawnWithMasksOnItsOwnAxes) {
  const std::string id = fs::directory_iterator(path("cache") + "/cases")->path().stem();
  const std::string truth = path("raw") + "/" + id + "/" + id + "_seg.nii.gz";
  const auto drawn = must("view " + path("cache") + "/" + id + " --mask same=" + truth + " --out " +
                          path("view.png"));
  EXPECT_THAT(drawn.out, HasSubstr("columns: FLAIR, T1, T1c, T2, truth, same"));
  const std::string png = read_text(path("view.png"));
  EXPECT_THAT(png, StartsWith("\x89PNG"));
  EXPECT_EQ(run_program("view " + path("cache") + "/nobody").code, 2);
  const auto image = run_program("view " + path("cache") + "/" + id + " --mask " + path("raw") +
                                 "/" + id + "/" + id + "_flair.nii.gz");
  EXPECT_NE(image.code, 0);
  EXPECT_THAT(image.err, HasSubstr("whole number from 0 to 255"));
}

// Under a launcher, started by the program, and alone: the same files, byte for byte.
TEST_F(TrainedModel, GivesTheSameFilesOnAnyNumberOfRanks) {
  const std::string arguments =
      "eval " + path("run") +
      " --part train --seen-cases --subsets FLAIR,T1+T2,all --calibration "
      "--scores surface --et-min 50 --quiet --out ";
  must(arguments + path("alone"));
  must(arguments + path("three") + " --ranks 3");
  const std::string launched =
      mpirun_command(2) + std::getenv("LACUNA_PROGRAM") + " " + arguments + path("two");
  ASSERT_EQ(std::system((launched + " >" + path("said") + " 2>&1").c_str()), 0)
      << read_text(path("said"));
  for (const char* name : {"cases.csv", "subsets.csv", "table.md", "summary.json",
                           "overlays/best.safetensors", "overlays/worst.safetensors"}) {
    const std::string alone = read_text(path("alone") + "/" + name);
    EXPECT_FALSE(alone.empty()) << name;
    EXPECT_EQ(read_text(path("two") + "/" + name), alone) << name;
    EXPECT_EQ(read_text(path("three") + "/" + name), alone) << name;
  }
}

TEST_F(TrainedModel, GivesEqualScoresThroughEvalAndThroughItsMaskFiles) {
  const Json summary =
      Json::parse(must("eval " + path("run") +
                       " --part test --subsets FLAIR+T2,all --hd95 pooled --json --quiet")
                      .out);
  EXPECT_EQ(summary["subsets"].size(), 2u);
  EXPECT_EQ(summary["hd95_definition"], "pooled");
  must("predict " + path("run") + " --in " + path("raw") + " --out " + path("masks") +
       " --subset FLAIR+T2 --quiet");

  std::ifstream table(path("run/eval/fold0-test/cases.csv"));
  std::string line;
  std::getline(table, line);
  EXPECT_THAT(line, StartsWith("case,institution,subset,region,dice,hd95_mm"));
  std::map<std::string, Json> scores;  // metrics of each case
  int compared = 0;
  while (std::getline(table, line)) {
    const auto row = fields(line);
    if (row[2] != "FLAIR+T2") continue;
    if (!scores.contains(row[0])) {
      fs::path truth;
      for (const auto& file : fs::recursive_directory_iterator(path("raw"))) {
        const auto name = file.path().filename().string();
        if (name == row[0] + "_seg.nii.gz" || name == row[0] + "-seg.nii.gz") truth = file.path();
      }
      scores[row[0]] = Json::parse(must("metrics --pred " + path("masks/" + row[0] + ".nii.gz") +
                                        " --truth " + truth.string() + " --hd95 pooled --json")
                                       .out);
    }
    const Json& region = scores[row[0]]["regions"][row[3]];
    EXPECT_DOUBLE_EQ(region["dice"].get<double>(), std::stod(row[4])) << line;
    EXPECT_DOUBLE_EQ(region["hd95"].get<double>(), std::stod(row[5])) << line;
    ++compared;
  }
  EXPECT_GT(compared, 0);
  EXPECT_EQ(compared % 3, 0);
}

TEST_F(TrainedModel, IsComparedWithAnotherEvaluationByPairedTests) {
  const std::string eval =
      "eval " + path("run") + " --part train --subsets T1,all --no-hd95 --quiet";
  must(eval + " --out " + path("one"));
  must(eval + " --out " + path("two") + " --against " + path("one"));
  const auto lines = fields(read_text(path("two/comparison.csv")), '\n');
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(lines[1], StartsWith("T1,"));
  // The same model on the same cases: no pair differs.
  const auto row = fields(lines[2]);
  EXPECT_EQ(row[4], "0");
  EXPECT_EQ(row[5], "1");
}

// Bytes of one case changed on the disk: its scores would be of other voxels.
TEST_F(TrainedModel, EvaluatesTheOtherCasesWhenOneIsDamagedAndEndsWith1) {
  fs::copy(path("cache"), path("damaged"), fs::copy_options::recursive);
  const Json cohort = Json::parse(read_text(path("cache/cohort.json")));
  const Json& part = cohort.at("splits").at("fold0").at("train");
  ASSERT_GE(part.size(), 3u);
  const std::string damaged = part.at(1);
  const fs::path file = fs::path(path("damaged")) / "cases" / (damaged + ".h5");
  std::string bytes = read_text(file);
  for (std::size_t i = bytes.size() / 2; i < bytes.size() / 2 + 400; ++i) {
    bytes[i] = static_cast<char>(bytes[i] ^ 0x55);
  }
  std::ofstream(file, std::ios::binary) << bytes;

  const std::string command = " --part train --subsets T1,all --no-hd95 ";
  must("eval " + path("run") + command + "--quiet --out " + path("good-eval"));
  const auto result = run_program("eval " + path("run") + command + "--data " + path("damaged") +
                                  " --out " + path("bad-eval"));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr("1 of "));
  EXPECT_THAT(result.err, HasSubstr("case " + damaged));
  const Json summary = Json::parse(read_text(path("bad-eval/summary.json")));
  ASSERT_EQ(summary.at("missing_cases").size(), 1u);
  EXPECT_EQ(summary.at("missing_cases")[0].at("case"), damaged);
  // The others are scored as before.
  const auto good = fields(read_text(path("good-eval/cases.csv")), '\n');
  std::vector<std::string> others;
  std::copy_if(good.begin(), good.end(), std::back_inserter(others),
               [&](const std::string& line) { return !line.starts_with(damaged + ","); });
  ASSERT_LT(others.size(), good.size());
  EXPECT_EQ(fields(read_text(path("bad-eval/cases.csv")), '\n'), others);
}

TEST_F(TrainedModel, ScoresTheTestPartUnlessToldOtherwise) {
  const Json summary =
      Json::parse(must("eval " + path("run") + " --subsets all --no-hd95 --json --quiet --out " +
                       path("default"))
                      .out);
  EXPECT_EQ(summary["part"], "test");
  EXPECT_FALSE(summary.contains("note"));
  const Json learned = Json::parse(must("eval " + path("run") +
                                        " --part train --subsets all --no-hd95 --json --quiet "
                                        "--out " +
                                        path("train"))
                                       .out);
  EXPECT_THAT(learned["note"], HasSubstr("cases trained the network"));
  EXPECT_THAT(read_text(path("train/table.md")), HasSubstr("Not a test result"));
  EXPECT_THAT(read_text(path("train/table.tex")), HasSubstr("Not a test result"));
}

TEST_F(TrainedModel, RefusesATestOnWhatItHasLearnedFrom) {
  const std::string eval = "eval " + path("run") +
                           " --split fold1 --part test --subsets all --no-hd95 --json --out " +
                           path("seen");
  const auto refused = run_program(eval);
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err,
              AllOf(HasSubstr("are known to the run: BraTS2021_"), HasSubstr("--seen-cases")));
  const auto insisted = run_program(eval + " --quiet --seen-cases");
  EXPECT_EQ(insisted.code, 0) << insisted.err;
  EXPECT_THAT(Json::parse(insisted.out)["note"], HasSubstr("Not a test result"));
}

TEST_F(TrainedModel, PredictsTheOtherCasesWhenOneIsBad) {
  fs::copy(path("raw"), path("bad"), fs::copy_options::recursive);
  std::vector<fs::path> flair;
  for (const auto& file : fs::recursive_directory_iterator(path("bad"))) {
    const auto name = file.path().filename().string();
    if (name.ends_with("_flair.nii.gz") || name.ends_with("-t2f.nii.gz")) flair.push_back(file);
  }
  ASSERT_EQ(flair.size(), 8u);
  std::sort(flair.begin(), flair.end());
  fs::resize_file(flair[0], fs::file_size(flair[0]) / 2);
  fs::remove(flair[1]);
  const auto result = run_program("predict " + path("run") + " --in " + path("bad") + " --out " +
                                  path("bad-masks"));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr(flair[0].filename().string()));
  EXPECT_THAT(result.out, HasSubstr("from T1+T1c+T2"));
  EXPECT_EQ(std::distance(fs::directory_iterator(path("bad-masks")), fs::directory_iterator()), 7);
}

TEST_F(TrainedModel, RefusesUnknownPartsSubsetsAndDirectories) {
  const auto part = run_program("eval " + path("run") + " --part exam");
  EXPECT_EQ(part.code, 2);
  EXPECT_THAT(part.err, HasSubstr("exam"));
  const auto subset = run_program("eval " + path("run") + " --subsets T7");
  EXPECT_EQ(subset.code, 2);
  EXPECT_THAT(subset.err, HasSubstr("unknown modality \"T7\""));
  const auto model = run_program("eval " + path("nowhere"));
  EXPECT_EQ(model.code, 1);
  EXPECT_THAT(model.err, HasSubstr("nowhere"));
}

}  // namespace
}  // namespace lacuna::tests
