// lacuna doctor: versions, devices, limits and short probes, and what to do about each finding.
#include <memory>
#include <optional>
#include <string>

#include <fmt/core.h>

#include "app/command.h"
#include "monitoring/doctor.h"

namespace lacuna::app {
namespace {

struct Options {
  std::string directory = ".", data;
  bool json = false;
};

void print(const std::vector<monitoring::Finding>& findings) {
  using Verdict = monitoring::Finding::Verdict;
  std::string topic;
  for (const monitoring::Finding& finding : findings) {
    if (finding.topic != topic) fmt::print("{}{}\n", topic.empty() ? "" : "\n", finding.topic);
    topic = finding.topic;
    const char* mark = finding.verdict == Verdict::kGood     ? "ok"
                       : finding.verdict == Verdict::kAdvice ? "note"
                                                             : "BAD";
    fmt::print("  {:4} {:14} {}\n", mark, finding.name, finding.value);
    if (!finding.advice.empty()) fmt::print("       -> {}\n", finding.advice);
  }
}

ExitCode run(const Options& options) {
  const std::optional<Path> cache =
      options.data.empty() ? std::nullopt : std::optional<Path>(options.data);
  const auto findings = monitoring::examine(options.directory, cache);
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
  command->footer("Example: lacuna doctor --dir /scratch --data cache/");
  const auto options = std::make_shared<Options>();
  command->add_option("--dir", options->directory, "Where results will go; probed by writing")
      ->capture_default_str();
  command->add_option("--data", options->data, "A cache to read training patches from");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &code] { code = run(*options); });
}

}  // namespace lacuna::app
