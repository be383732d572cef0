// lacuna monitor: what a run does now, live on a terminal.
#include <memory>
#include <string>

#include <fmt/core.h>
#include <unistd.h>

#include "app/command.h"
#include "app/live_terminal.h"
#include "base/signals.h"
#include "coordinator/heartbeat.h"
#include "coordinator/monitor_view.h"
#include "coordinator/run_monitor.h"

namespace lacuna::app {
namespace {

constexpr double kRedrawSeconds = 1;

struct Arguments {
  std::string directory;
  bool once = false, json = false;
};

void print_once(coordinator::RunMonitor& monitor, bool json) {
  const coordinator::Sight sight = monitor.look();
  if (json) {
    Json status = sight.status;
    if (!sight.note.empty()) status["note"] = sight.note;
    fmt::print("{}\n", coordinator::dump_line(status));
    return;
  }
  const bool terminal = ::isatty(STDOUT_FILENO) != 0;
  const coordinator::ViewSize size{terminal ? terminal_size().width : 160};
  for (const auto& line : coordinator::monitor_view(sight.status, sight.note, size)) {
    fmt::print("{}\n", paint(line, terminal));
  }
}

void watch(coordinator::RunMonitor& monitor) {
  const StopSignals signals;
  LiveTerminal terminal;
  while (signals.pending() == 0) {
    const coordinator::Sight sight = monitor.look();
    terminal.draw(coordinator::monitor_view(sight.status, sight.note, terminal_size()));
    if (terminal.wait(kRedrawSeconds) == 'q') return;
  }
}

ExitCode run(const Arguments& arguments) {
  coordinator::RunMonitor monitor(arguments.directory);
  if (arguments.once || arguments.json || ::isatty(STDOUT_FILENO) == 0) {
    print_once(monitor, arguments.json);
  } else {
    watch(monitor);
  }
  return ExitCode::kDone;
}

}  // namespace

void add_monitor(CLI::App& program, ExitCode& code) {
  auto* command = program.add_subcommand("monitor", "Show live what a run does");
  auto arguments = std::make_shared<Arguments>();
  command->add_option("run", arguments->directory, "Run directory")->required();
  command->add_flag("--once", arguments->once,
                    "Print once and end (the default when the output is no terminal)");
  command->add_flag("--json", arguments->json, "Print the status as JSON and end");
  command->footer(
      "Example: lacuna monitor runs/first\n"
      "q ends it. When no status server answers, the files of the run are shown.");
  command->callback([arguments, &code] { code = run(*arguments); });
}

}  // namespace lacuna::app
