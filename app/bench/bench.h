// The common harness of `lacuna bench`: what a bench is given, how it measures, what it reports.
//
// A bench is one file app/bench_<name>.cpp with `Json run_<name>(const BenchOptions&)`, declared
// here, and one line in bench_command.cpp. It returns a list of entries made by entry(); the
// command adds the machine and prints a table or JSON. bench/run puts the figures of the peers
// (bench/peers/<name>.py, the same fields) beside them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/text/json.h"
#include "data/cache/cohort.h"

namespace lacuna::app {

struct BenchOptions {
  std::filesystem::path data;  // a cache (loader, eval) or NIfTI cohort (ingest); empty: a phantom
                               // of the bench's own in a temporary directory
  int threads = 0;             // 0: as many as cores
  int repeats = 5, warm_up = 1;
  std::vector<std::string> methods{"mckd", "unet"};
  double width = 0.25;
  data::Extent patch{64, 64, 64};
  std::int64_t batch = 1;
  std::string layout = "auto";
  bool by_subset = false;  // eval: also one subset after the other, as its `gain`
};

struct Timing {
  double median_seconds = 0, fastest_seconds = 0;
  double cpu_seconds = 0;  // median of the processor time of all threads: fair on a busy machine
  int repeats = 0;
};

// Runs `work` warm_up times unmeasured, then `repeats` times.
Timing measure(const BenchOptions& options, const std::function<void()>& work);

// {"name", "seconds" (median), "fastest_seconds", "cpu_seconds", "repeats"}; callers add what else
// they know ("samples", "peak_bytes", ...).
Json entry(const std::string& name, const Timing& timing);

// {"cpu": model, "cores": available to this process}.
Json machine();

// One function per bench.
Json run_eval(const BenchOptions& options);
Json run_hd95(const BenchOptions& options);
Json run_ingest(const BenchOptions& options);
Json run_loader(const BenchOptions& options);
Json run_scores(const BenchOptions& options);
Json run_step(const BenchOptions& options);

// Memory of this process from the system, bytes: now, and the most so far.
std::int64_t resident_bytes();
std::int64_t peak_resident_bytes();

int bench_threads(const BenchOptions& options);  // with 0 replaced

}  // namespace lacuna::app
