// lacuna bench allreduce: sums over ranks by size, as nccl-tests prints them.
#include <cstdio>
#include <memory>

#include <fmt/core.h>

#include "app/bench/bench.h"
#include "app/shared/command.h"
#include "app/shared/run_on_ranks.h"
#include "base/error.h"
#include "base/process/build_info.h"
#include "comm/all_reduce_benchmark.h"
#include "comm/choose.h"

namespace lacuna::app {
namespace {

struct AllReduceOptions {
  int ranks = 0;
  std::size_t smallest = 1 << 10, largest = 64 << 20;
  comm::AllReduceSettings settings;
  std::string backend = "auto", device = "auto", type = "float";
  bool json = false;
};

// The command line that the ranks run.
std::vector<std::string> arguments_of(const AllReduceOptions& options) {
  std::vector<std::string> words = {"bench",        "allreduce",
                                    "--min",        std::to_string(options.smallest),
                                    "--max",        std::to_string(options.largest),
                                    "--iterations", std::to_string(options.settings.iterations),
                                    "--backend",    options.backend,
                                    "--device",     options.device,
                                    "--type",       options.type};
  if (options.json) words.push_back("--json");
  return words;
}

void print_heading(const comm::ChosenCommunicator& chosen) {
  fmt::print("{} ranks over {} ({}), sums in place, {}\n", chosen.ranks->size(),
             chosen.ranks->name(), chosen.why, machine()["cpu"].get<std::string>());
  fmt::print("{:>12} {:>12} {:>9} {:>11} {:>13} {:>13} {:>7}\n", "size (B)", "count", "type",
             "time (us)", "algbw (GB/s)", "busbw (GB/s)", "wrong");
}

Json line_of(const comm::AllReduceTiming& timing, int ranks, const AllReduceOptions& options) {
  return {{"bytes", timing.bytes},
          {"count", timing.count},
          {"type", options.type},
          {"seconds", timing.seconds},
          {"algbw_gb_per_second", 1e-9 * timing.algorithm_bandwidth()},
          {"busbw_gb_per_second", 1e-9 * timing.bus_bandwidth(ranks)},
          {"wrong", timing.wrong}};
}

void print_line(const Json& line) {
  fmt::print("{:>12} {:>12} {:>9} {:>11.1f} {:>13.3f} {:>13.3f} {:>7}\n",
             line["bytes"].get<std::size_t>(), line["count"].get<std::size_t>(),
             line["type"].get<std::string>(), 1e6 * line["seconds"].get<double>(),
             line["algbw_gb_per_second"].get<double>(), line["busbw_gb_per_second"].get<double>(),
             line["wrong"].get<std::int64_t>());
  std::fflush(stdout);
}

// The whole table on this rank; rank 0 prints.
ExitCode measure_all(std::unique_ptr<comm::Communicator> host, const AllReduceOptions& options) {
  comm::AllReduceSettings settings = options.settings;
  settings.bf16 = options.type == "bfloat16";
  settings.gpu = options.device == "cpu" ? -1 : comm::suggest_gpu(*host);
  const comm::ChosenCommunicator chosen =
      comm::choose_communicator(std::move(host), options.backend, settings.gpu, "allreduce");
  const int ranks = chosen.ranks->size();
  const bool speaks = chosen.ranks->rank() == 0;
  if (speaks && !options.json) print_heading(chosen);

  Json lines = Json::array();
  bool right = true;
  for (std::size_t bytes = options.smallest; bytes <= options.largest; bytes *= 4) {
    comm::AllReduceTiming timing;
    const comm::CommResult result = comm::time_all_reduce(*chosen.ranks, bytes, settings, timing);
    if (!result.ok()) throw Error(result.text, ExitCode::kPeerLost);
    right = right && timing.wrong == 0;
    lines.push_back(line_of(timing, ranks, options));
    if (speaks && !options.json) print_line(lines.back());
  }
  if (speaks && options.json) {
    const Json report = {{"bench", "allreduce"},
                         {"machine", machine()},
                         {"ranks", ranks},
                         {"communicator", chosen.ranks->name()},
                         {"why", chosen.why},
                         {"commit", build_info().commit},
                         {"entries", std::move(lines)}};
    fmt::print("{}\n", report.dump(2));
  }
  return right ? ExitCode::kDone : ExitCode::kError;
}

}  // namespace

void add_allreduce_bench(CLI::App& bench, ExitCode& code) {
  auto* command = bench.add_subcommand("allreduce", "Sums over ranks, by size");
  const auto options = std::make_shared<AllReduceOptions>();
  command->add_option("--ranks", options->ranks, "Starts so many; under mpirun or srun: not needed")
      ->check(CLI::Range(1, 4096));
  command->add_option("--min", options->smallest, "Smallest size, bytes; then four times more")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--max", options->largest, "Largest size, bytes")->capture_default_str();
  command
      ->add_option("--iterations", options->settings.iterations, "Sums per size; the median counts")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--type", options->type, "float or bfloat16")
      ->check(CLI::IsMember({"float", "bfloat16"}))
      ->capture_default_str();
  command->add_option("--backend", options->backend, "auto, mpi or nccl")
      ->check(CLI::IsMember({"auto", "mpi", "nccl"}))
      ->capture_default_str();
  command->add_option("--device", options->device, "auto (a GPU where there is one) or cpu")
      ->check(CLI::IsMember({"auto", "cpu"}))
      ->capture_default_str();
  command->add_flag("--json", options->json, "JSON instead of a table");
  command->footer(
      "Example: lacuna bench allreduce --ranks 2 --max 67108864\n"
      "algbw = size / time; busbw = algbw * 2 (ranks - 1) / ranks, comparable over ranks. `wrong` "
      "counts elements with a wrong sum; exit code 1 when there are any.");
  command->callback([options, &code] {
    code = run_on_ranks(options->ranks, arguments_of(*options),
                        [&](auto host) { return measure_all(std::move(host), *options); });
  });
}

}  // namespace lacuna::app
