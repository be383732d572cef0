// lacuna doctor: versions, devices, limits and short probes, and what to do about each finding.
#include <memory>
#include <optional>
#include <string>

#include <fmt/core.h>

#include "app/shared/command.h"
#include "app/shared/doctor_ranks.h"
#include "base/text/text_table.h"
#include "comm/mpi.h"
#include "monitoring/doctor/doctor.h"

namespace lacuna::app {
namespace {

struct DoctorOptions {
  std::string directory = ".", data;
  bool json = false;
  int ranks = 0;
  std::string launcher = "auto";
  double deadline = 60;
};

void print(const std::vector<monitoring::Finding>& findings) {
  using Verdict = monitoring::Finding::Verdict;
  TextTable table({{"", true, 6}, {}, {}});
  for (const monitoring::Finding& finding : findings) {
    const char* mark = finding.verdict == Verdict::kGood     ? "ok"
                       : finding.verdict == Verdict::kAdvice ? "note"
                                                             : "BAD";
    table.add({mark, finding.name, finding.value});
  }
  // Topics and advice are lines of their own between those of the table.
  const std::vector<std::string> lines = table.lines();
  std::string topic;
  for (std::size_t i = 0; i < findings.size(); ++i) {
    if (findings[i].topic != topic) {
      fmt::print("{}{}\n", topic.empty() ? "" : "\n", findings[i].topic);
    }
    topic = findings[i].topic;
    fmt::print("{}\n", lines[i]);
    if (!findings[i].advice.empty()) fmt::print("        -> {}\n", findings[i].advice);
  }
}

ExitCode run(const DoctorOptions& options) {
  if (options.ranks > 0 && comm::launched_as_rank()) return measure_as_rank(options.deadline);
  const std::optional<Path> cache =
      options.data.empty() ? std::nullopt : std::optional<Path>(options.data);
  auto findings = monitoring::examine(options.directory, cache);
  if (options.ranks > 0) {
    const auto more = probe_ranks(options.ranks, options.launcher, options.deadline);
    findings.insert(findings.end(), more.begin(), more.end());
  }
  if (options.json) {
    fmt::print("{}\n", monitoring::to_json(findings).dump(2));
  } else {
    print(findings);
  }
  return monitoring::has_problem(findings) ? ExitCode::kError : ExitCode::kDone;
}

}  // namespace

void add_doctor(CLI::App& program, ExitCode& code) {
  auto* command =
      program.add_subcommand("doctor", "Versions, devices, limits, and what to do about them");
  command->footer("Example: lacuna doctor --dir /scratch --data cache/ --ranks 4");
  const auto options = std::make_shared<DoctorOptions>();
  command->add_option("--dir", options->directory, "Where results will go; probed by writing")
      ->capture_default_str();
  command->add_option("--data", options->data, "A cache to read training patches from");
  command
      ->add_option("--ranks", options->ranks,
                   "Also starts 2, 4, ... ranks up to this number and sums 64 MB over them")
      ->check(CLI::Range(2, 100'000));
  command->add_option("--launcher", options->launcher, "As of `lacuna train`")
      ->check(CLI::IsMember({"auto", "mpirun", "srun"}))
      ->capture_default_str();
  command->add_option("--deadline", options->deadline, "Seconds until ranks that hang are given up")
      ->check(CLI::Range(1.0, 3600.0))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &code] { code = run(*options); });
}

}  // namespace lacuna::app
