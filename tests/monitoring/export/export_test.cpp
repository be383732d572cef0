// Logs are read by TensorBoard's own reader (check_events.py), tables by our own.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/csv.h"
#include "base/files/event_file.h"
#include "base/files/temporary_directory.h"
#include "base/text/parse_json.h"
#include "monitoring/export/event_export.h"
#include "monitoring/export/table_export.h"
#include "tests/monitoring/synthetic_run.h"

namespace lacuna::monitoring {
namespace {

std::string environment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value ? value : otherwise;
}

Json as_tensorboard_reads(const std::filesystem::path& directory) {
  const std::string command = environment("LACUNA_PYTHON", "python3") + " " +
                              environment("LACUNA_SOURCE", ".") +
                              "/tests/monitoring/check_events.py '" + directory.string() + "'";
  std::string said;
  FILE* pipe = ::popen(command.c_str(), "r");
  for (int c; (c = std::fgetc(pipe)) != EOF;) said.push_back(static_cast<char>(c));
  EXPECT_EQ(::pclose(pipe), 0) << said;
  return parse_json(said, "check_events.py");
}

TEST(Export, TensorBoardReadsCurvesPicturesAndHyperparameters) {
  const TemporaryDirectory directory;
  write_synthetic_run(directory / "run", {.logged_steps = 40});
  {
    std::ofstream more(directory / "run" / "metrics.jsonl", std::ios::app);
    more << R"({"step":401,"loss":null,"seconds":{"step":2}})"
         << "\n"
         << R"({"step":402,"lo)";
  }
  export_events(directory / "run", directory / "logs");
  const Json log = as_tensorboard_reads(directory / "logs");
  const Json& scalars = log["scalars"];
  ASSERT_EQ(scalars["loss/total"].size(), 41u);
  std::ifstream metrics(directory / "run" / "metrics.jsonl");
  for (std::size_t i = 0; i < 40; ++i) {
    std::string text;
    std::getline(metrics, text);
    const Json line = parse_json_line(text);
    EXPECT_EQ(scalars["loss/total"][i][0], line["step"]);
    EXPECT_FLOAT_EQ(scalars["loss/total"][i][1].get<float>(), line["loss"].get<float>());
    EXPECT_FLOAT_EQ(scalars["loss/cross_entropy"][i][1].get<float>(),
                    line["losses"]["cross_entropy"].get<float>());
  }
  EXPECT_TRUE(scalars["loss/total"][40][1].is_null()) << "a loss that was not finite";
  EXPECT_EQ(scalars["validation/score"].size(), 2u);
  EXPECT_EQ(scalars["diagnostics/importance/T1c"].size(), 40u);
  EXPECT_GT(scalars["fold0-test_dice/WT"][0][1].get<double>(), 0.5);
  EXPECT_EQ(scalars["fold0-test_dice/WT"][0][0], 401);
  EXPECT_GT(scalars["fold0-test_dice_by_subset/FLAIR+T1"][0][1].get<double>(), 0.2);
  // 12 lines of a second each would be 12 s; here one line says what a step took.
  const double first = scalars["loss/total"][0][2].get<double>();
  EXPECT_NEAR(scalars["loss/total"][40][2].get<double>() - first, 2, 1e-3);
  ASSERT_TRUE(log["images"].contains("fold0-test_best/truth")) << log["images"].dump();
  EXPECT_EQ(log["images"]["fold0-test_best/truth"][0], (Json{401, 120, 120, "89504e47"}));
  EXPECT_EQ(log["images"].size(), 12u);  // truth and five subsets, best and worst
  EXPECT_EQ(log["hparams"]["method"], "mckd");
  EXPECT_EQ(log["hparams"]["train.batch"], 2);
  EXPECT_EQ(log["hparams"]["data.split"], "fold0");
}

TEST(Export, AgainTakesThePlaceOfTheFormerLog) {
  const TemporaryDirectory directory;
  write_synthetic_run(directory / "run", {.logged_steps = 5, .overlays = false});
  export_events(directory / "run", directory / "logs");
  std::ofstream(directory / "logs" / "notes.txt") << "mine";
  export_events(directory / "run", directory / "logs");
  EXPECT_EQ(as_tensorboard_reads(directory / "logs")["scalars"]["loss/total"].size(), 5u);
  EXPECT_TRUE(std::filesystem::exists(directory / "logs" / "notes.txt"));
  EXPECT_THROW(export_events(directory / "nothing", directory / "logs"), DataError);
}

// Steps that a resumed run writes again are there once.
TEST(Export, ARestartTakesBackWhatLiesBehindIt) {
  const TemporaryDirectory directory;
  {
    EventFile first(directory / event_file_name(1000, "host"), 1000);
    for (int step = 1; step <= 9; ++step) first.scalars(1000 + step, step, {{"loss/total", 1.0}});
    EventFile second(directory / event_file_name(2000, "host"), 2000);
    second.restart(2000, 6);
    for (int step = 6; step <= 12; ++step) second.scalars(2000 + step, step, {{"loss/total", 2.0}});
  }
  const Json loss = as_tensorboard_reads(directory.path())["scalars"]["loss/total"];
  ASSERT_EQ(loss.size(), 12u);
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_EQ(loss[i][0], i + 1);
    EXPECT_EQ(loss[i][1], i < 5 ? 1.0 : 2.0);
  }
}

TEST(Export, TablesHaveARowPerObservation) {
  const TemporaryDirectory directory;
  write_synthetic_run(directory / "a, b", {.cases = 3, .logged_steps = 4, .importance = false});
  const std::vector<RunRecord> runs = {read_run(directory / "a, b")};
  const Csv metrics = Csv::parse(metrics_table(runs), "metrics");
  EXPECT_EQ(metrics.text(0, "run"), (directory / "a, b").string());
  EXPECT_EQ(metrics.text(0, "name"), "loss/total");
  EXPECT_EQ(metrics.rows(), 4u * 5u);  // two losses, their sum, a rate, a speed
  const Csv scores = Csv::parse(scores_table(runs), "scores");
  ASSERT_EQ(scores.rows(), 3u * 15u * 3u);
  EXPECT_EQ(scores.text(0, "method"), "mckd");
  EXPECT_EQ(scores.text(0, "seed"), "1");
  EXPECT_EQ(scores.text(0, "evaluation"), "fold0-test");
  EXPECT_EQ(scores.text(44, "subset"), "FLAIR+T1+T1c+T2");
  EXPECT_EQ(scores.text(44, "available"), "4");
  EXPECT_EQ(scores.number(44, "dice"), runs[0].evaluations[0].scores[14].regions[2].dice);
}

}  // namespace
}  // namespace lacuna::monitoring
