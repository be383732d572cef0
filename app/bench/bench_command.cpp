// lacuna bench NAME: one measurement, as a table or JSON.
#include <memory>

#include <fmt/core.h>

#include "app/bench/bench.h"
#include "app/bench/bench_metrics.h"
#include "app/bench/bench_sweep.h"
#include "app/shared/command.h"
#include "base/process/build_info.h"

namespace lacuna::app {
namespace {

struct Bench {
  const char* name;
  const char* help;
  Json (*run)(const BenchOptions&);
};

constexpr Bench kBenches[] = {
    // One line per bench, in the order of --help.
    {"loader", "Training samples from a warm cache", run_loader},
    {"step", "Training step of a method on random images", run_step},
    {"eval", "One case under all subsets of modalities", run_eval},
    {"ingest", "Cases from NIfTI files to a cache", run_ingest},
    {"sweep", "Planning 10 000 runs, and their status", run_sweep},
    {"metrics", "Counting and scraping, against a training step", run_metrics},
    {"hd95", "HD95 of three regions of one 155 x 240 x 240 case", run_hd95},
    {"scores", "Every score of three regions of the same case", run_scores},
};

void print(const Json& report) {
  fmt::print("{}, {} threads\n", report["machine"]["cpu"].get<std::string>(),
             report["threads"].get<int>());
  for (const Json& line : report["entries"]) {
    fmt::print("{:<28} {:>10.4f} s", line["name"].get<std::string>(),
               line["seconds"].get<double>());
    for (const auto& [key, value] : line.items()) {
      if (key == "name" || key == "seconds" || !value.is_primitive()) continue;
      fmt::print("  {} {}", key, value.dump());
    }
    fmt::print("\n");
  }
}

void run(const Bench& bench, const BenchOptions& options, bool json) {
  const Json report = {{"bench", bench.name},
                       {"machine", machine()},
                       {"threads", bench_threads(options)},
                       {"version", build_info().version},
                       {"commit", build_info().commit},
                       {"entries", bench.run(options)}};
  if (json) {
    fmt::print("{}\n", report.dump(2));
  } else {
    print(report);
  }
}

}  // namespace

void add_bench(CLI::App& program, ExitCode& code) {
  auto* command = program.add_subcommand("bench", "Measures the speed of one part");
  command->footer("Example: lacuna bench loader --patch 80,160,160 --json");
  command->require_subcommand(1);
  add_allreduce_bench(*command, code);
  add_overlap_bench(*command, code);
  for (const Bench& bench : kBenches) {
    auto* sub = command->add_subcommand(bench.name, bench.help);
    const auto options = std::make_shared<BenchOptions>();
    const auto json = std::make_shared<bool>(false);
    sub->add_option("--data", options->data, "Cache or NIfTI cohort; default: a phantom");
    sub->add_option("--threads", options->threads, "0: as many as cores")->capture_default_str();
    sub->add_option("--repeats", options->repeats, "Measured runs; the median counts")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    sub->add_option("--warm-up", options->warm_up, "Runs before them")->capture_default_str();
    sub->add_option("--methods", options->methods, "A,B")->delimiter(',')->capture_default_str();
    sub->add_option("--width", options->width, "Channel factor")->capture_default_str();
    sub->add_option("--patch", options->patch, "D,H,W in voxels")
        ->delimiter(',')
        ->capture_default_str();
    sub->add_option("--batch", options->batch, "Samples per step")->capture_default_str();
    sub->add_option("--layout", options->layout, "auto, contiguous or channels_last")
        ->capture_default_str();
    sub->add_flag("--by-subset", options->by_subset,
                  "eval: also one subset after the other, nothing shared; `gain` is the ratio of "
                  "processor times");
    sub->add_flag("--json", *json, "JSON instead of a table");
    sub->callback([&bench, options, json] { run(bench, *options, *json); });
  }
}

}  // namespace lacuna::app
