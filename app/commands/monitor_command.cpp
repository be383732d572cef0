// lacuna monitor: what a run, or every run of a sweep, does now, live on a terminal.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>

#include <fmt/core.h>
#include <unistd.h>

#include "app/shared/command.h"
#include "app/shared/live_terminal.h"
#include "app/shared/lookout.h"
#include "base/process/signals.h"
#include "coordinator/monitor/monitor_view.h"
#include "coordinator/monitor/run_monitor.h"
#include "coordinator/monitor/sweep_monitor.h"
#include "coordinator/monitor/sweep_view.h"
#include "coordinator/status/heartbeat.h"

namespace lacuna::app {
namespace {

using coordinator::RunMonitor;
using coordinator::Sight;
using coordinator::SweepMonitor;
using coordinator::ViewLine;

constexpr double kLookSeconds = 1, kSweepLookSeconds = 2;
constexpr int kPlainWidth = 160;  // where lines are not for a terminal

struct MonitorArguments {
  std::string directory;
  bool once = false, json = false;
};

void print_once(const Json& json, const std::vector<ViewLine>& lines, bool as_json) {
  if (as_json) {
    fmt::print("{}\n", coordinator::dump_line(json));
    return;
  }
  for (const ViewLine& line : lines) fmt::print("{}\n", paint(line, terminal_paint()));
}

coordinator::ViewSize plain_size() {
  const coordinator::ViewSize terminal = terminal_size();
  return {::isatty(STDOUT_FILENO) != 0 ? terminal.width : kPlainWidth, 100'000, terminal.unicode};
}

void print_run(const std::string& directory, bool as_json) {
  const Sight sight = RunMonitor(directory).look();
  Json status = sight.status;
  if (!sight.note.empty()) status["note"] = sight.note;
  print_once(status, coordinator::monitor_view(sight.status, sight.note, plain_size()), as_json);
}

void print_sweep(const std::string& directory, bool as_json) {
  const Json sweep = SweepMonitor(directory).look();
  print_once(sweep, coordinator::sweep_view(sweep, -1, plain_size()), as_json);
}

// Returns the key that ended it: kBack or kQuit.
Key watch_run(const std::filesystem::path& directory, LiveTerminal& terminal,
              const StopSignals& signals) {
  RunMonitor monitor(directory);
  const Lookout<Sight> lookout([&] { return monitor.look(); }, kLookSeconds);
  while (signals.pending() == 0) {
    const auto sight = lookout.latest();
    terminal.draw(coordinator::monitor_view(sight->status, sight->note, terminal_size()));
    const Key key = terminal.wait(kLookSeconds);
    if (key == Key::kBack || key == Key::kQuit) return key;
  }
  return Key::kQuit;
}

void watch_sweep(const std::string& directory, LiveTerminal& terminal, const StopSignals& signals) {
  SweepMonitor monitor(directory);
  const Lookout<Json> lookout([&] { return monitor.look(); }, kSweepLookSeconds);
  std::string chosen;  // by name: the order changes
  while (signals.pending() == 0) {
    const auto sweep = lookout.latest();
    const auto names = coordinator::order_of_runs(*sweep);
    const auto found = std::find(names.begin(), names.end(), chosen);
    int at = found == names.end() ? 0 : static_cast<int>(found - names.begin());
    terminal.draw(coordinator::sweep_view(*sweep, at, terminal_size()));
    const Key key = terminal.wait(kLookSeconds);
    if (key == Key::kQuit || key == Key::kBack) return;
    at += key == Key::kDown ? 1 : key == Key::kUp ? -1 : 0;
    at = std::clamp(at, 0, static_cast<int>(names.size()) - 1);
    chosen = names.at(static_cast<std::size_t>(at));
    const auto run = monitor.run_directory(chosen);
    if (key == Key::kEnter && coordinator::is_run_directory(run) &&
        watch_run(run, terminal, signals) == Key::kQuit) {
      return;
    }
  }
}

ExitCode run(const MonitorArguments& arguments) {
  const std::string& directory = arguments.directory;
  const bool one = coordinator::is_run_directory(directory);
  if (arguments.once || arguments.json || !is_live_terminal()) {
    one ? print_run(directory, arguments.json) : print_sweep(directory, arguments.json);
    return ExitCode::kDone;
  }
  if (!one) SweepMonitor(directory).look();  // an error is told before the screen is switched
  const StopSignals signals;
  LiveTerminal terminal;
  if (one) {
    watch_run(directory, terminal, signals);
  } else {
    watch_sweep(directory, terminal, signals);
  }
  return ExitCode::kDone;
}

}  // namespace

void add_monitor(CLI::App& program, ExitCode& code) {
  auto* command = program.add_subcommand("monitor", "Show live what a run or a sweep does");
  auto arguments = std::make_shared<MonitorArguments>();
  command
      ->add_option("directory", arguments->directory,
                   "Run directory, sweep directory, or a directory of runs")
      ->required();
  command->add_flag("--once", arguments->once,
                    "Print once and end (the default when the output is no terminal)");
  command->add_flag("--json", arguments->json, "Print the status as JSON and end");
  command->footer(
      "Example: lacuna monitor runs/first\n"
      "q ends it. In a sweep, arrows choose a run, Enter shows it and Esc goes back. When no "
      "status\n"
      "server answers, the files of the run are shown.");
  command->callback([arguments, &code] { code = run(*arguments); });
}

}  // namespace lacuna::app
