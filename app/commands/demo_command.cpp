// lacuna demo: the whole path on a synthetic cohort, by running the commands that a user would.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "app/shared/command.h"
#include "app/shared/program.h"
#include "base/error.h"
#include "base/files/file_system.h"
#include "base/text/json.h"
#include "base/text/progress.h"
#include "base/text/text_table.h"

namespace lacuna::app {
namespace {

namespace fs = std::filesystem;

struct Scale {
  int cases;
  std::string size;
  Json patch;
  std::int64_t steps, batch;
  double width;
};

// Minutes on two cores: heads of a third of the usual size and narrow networks.
const Scale kUsual{40, "48,64,64", {48, 64, 64}, 550, 2, 0.25};
// Under a minute, for tests: every step of the path, nothing learned. Smaller patches leave two
// voxels at the bottleneck, where the gradient of a normalised zero image exceeds float.
const Scale kToy{10, "48,64,64", {32, 64, 64}, 4, 1, 0.0625};

// All see the same cases, crops and number of updates. The weak baseline is what one tries first: a
// U-Net trained on complete cases, with zeros where a modality is missing. The strong one is that
// network with nnU-Net's recipe, trained on random subsets.
std::map<std::string, Json> run_files(const Scale& scale, const fs::path& cache) {
  const Json shared = {
      {"data", {{"cache", cache.string()}, {"patch", scale.patch}, {"augment", "none"}}},
      {"model", {{"width", scale.width}}},
      {"train", {{"steps", scale.steps}, {"batch", scale.batch}}},
      {"validate", {{"every", 0}}},
      {"checkpoint", {{"every_steps", std::max<std::int64_t>(1, scale.steps / 4)}}}};
  Json mckd = shared, unet = shared, strong = shared;
  mckd["method"] = "mckd";
  mckd["meta"] = {{"period", std::max<std::int64_t>(1, scale.steps / 14)}, {"repeats", 4}};
  unet["method"] = "unet";
  unet["method_options"] = {{"training_subsets", "full"}, {"levels", 4}};
  strong["method"] = "unet";
  strong["method_options"] = {{"deep_supervision", true}, {"levels", 4}};
  strong["data"].erase("augment");  // its own: mirroring and intensities
  return {{"mckd", mckd}, {"unet", unet}, {"unet-strong", strong}};
}

void step(const std::vector<std::string>& arguments) {
  fmt::print("\n$ lacuna {}\n", fmt::join(arguments, " "));
  std::fflush(stdout);
  const int code = run_program(arguments);
  if (code == 0) return;
  throw Error(fmt::format("the demo stopped at: lacuna {}. Run `lacuna demo` again to go on.",
                          fmt::join(arguments, " ")),
              static_cast<ExitCode>(code));
}

// Mean Dice over regions, by the number of available modalities.
std::vector<double> dice_by_size(const fs::path& run) {
  for (const auto& entry : fs::directory_iterator(run / "eval")) {
    const Json summary = read_json(entry.path() / "summary.json");
    return summary.at("robustness").at("dice_by_size").get<std::vector<double>>();
  }
  throw_error<DataError>("{}: no evaluation", run.string());
}

void print_result(const fs::path& out, const std::vector<std::string>& methods) {
  fmt::print("\nmean Dice (%) over ET, TC, WT by the number of modalities that are there\n");
  TextTable table(
      {{"", false, 12}, {"1", true, 6}, {"2", true, 6}, {"3", true, 6}, {"4", true, 6}});
  for (const std::string& method : methods) {
    std::vector<std::string> row = {method};
    for (const double dice : dice_by_size(out / "runs" / method)) {
      row.push_back(fmt::format("{:.1f}", 100 * dice));
    }
    table.add(std::move(row));
  }
  fmt::print(
      "{}\nThe cohort is synthetic: these numbers show how the methods differ when modalities\n"
      "are missing, and nothing about patients.\n",
      table.text());
}

void run(const fs::path& out, bool toy) {
  const auto start = std::chrono::steady_clock::now();
  const Scale& scale = toy ? kToy : kUsual;
  FileSystem& files = posix_file_system();
  files.make_directories(out);
  const auto path = [&](const std::string& name) { return (out / name).string(); };

  step({"phantom", "--out", path("raw"), "--cases", std::to_string(scale.cases), "--size",
        scale.size});
  step({"ingest", "--in", path("raw"), "--out", path("cache")});
  std::vector<std::string> methods, report = {"report"};
  for (const auto& [method, run_file] : run_files(scale, out / "cache")) {
    write_durably(files, out / (method + ".json"), run_file.dump(2) + "\n");
    step({"train", path(method + ".json"), "--out", path("runs/" + method)});
    step({"eval", path("runs/" + method), "--part", "test"});
    methods.push_back(method);
    report.push_back(path("runs/" + method));
  }
  report.insert(report.end(), {"--out", path("report.html")});
  step(report);
  print_result(out, methods);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  fmt::print("\nreport: {}   ({})\n", fs::absolute(out / "report.html").string(),
             format_duration(took.count()));
}

}  // namespace

void add_demo(CLI::App& program, ExitCode&) {
  auto* command =
      program.add_subcommand("demo", "The whole path on a synthetic cohort, in minutes");
  struct Arguments {
    std::string out = "demo";
    bool toy = false;
  };
  auto arguments = std::make_shared<Arguments>();
  command->add_option("--out", arguments->out, "Directory of everything that is made")
      ->capture_default_str();
  command->add_flag("--toy", arguments->toy, "Under a minute: nothing is learned");
  command->footer("Example: lacuna demo --out demo");
  command->callback([arguments] { run(arguments->out, arguments->toy); });
}

}  // namespace lacuna::app
