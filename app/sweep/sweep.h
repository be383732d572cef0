// What the commands of `lacuna sweep` share: which sweep is meant, and how its runs are resolved.
// One file app/sweep_<name>.cpp per command or two.
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <CLI/App.hpp>

#include "base/error.h"
#include "experiments/sweep_directory.h"
#include "experiments/sweep_plan.h"

namespace lacuna::app {

struct SweepArguments {
  std::string sweep, out;  // a sweep file or a sweep directory; the directory of a file
  std::vector<std::string> settings;
  int local = 0;  // runs at a time on this machine; 0: SLURM
  bool json = false, all = false, quiet = false;
};

// Resolves runs as `lacuna train` does, and notes which data they ask for.
class SweepResolver {
 public:
  SweepResolver();
  experiments::ResolveRun function();
  // Throws ConfigError or DataError for the first cache or split that is not there, or has no
  // labelled cases in `part`.
  void check_data(const std::string& part) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// The sweep directory that is meant; a file's is sweeps/<name of the file> beside it.
experiments::SweepDirectory sweep_directory(const SweepArguments& arguments);
// From the file, or from sweep.json of a directory. Throws ConfigError or DataError.
experiments::SweepDefinition sweep_definition(const SweepArguments& arguments,
                                              const experiments::SweepDirectory& directory);
// This program, as a child process or a node calls it.
std::vector<std::string> this_program();

// The argument that says which sweep is meant; and, for commands that take a sweep file, --set.
void add_sweep_choice(CLI::App& command, SweepArguments& arguments);
void add_sweep_options(CLI::App& command, SweepArguments& arguments);

// Writes the comparison of the runs that have begun. Throws DataError.
void write_sweep_report(const experiments::SweepDirectory& directory,
                        const experiments::SweepPlan& plan, const std::filesystem::path& page);

// The command itself (command.h).
void add_sweep(CLI::App& program, ExitCode& code);

// One command of `lacuna sweep` each, declared on `sweep`.
void add_sweep_plan(CLI::App& sweep, ExitCode& code);
void add_sweep_submit(CLI::App& sweep, ExitCode& code);  // and retry
void add_sweep_status(CLI::App& sweep, ExitCode& code);
void add_sweep_cancel(CLI::App& sweep, ExitCode& code);
void add_sweep_report(CLI::App& sweep, ExitCode& code);
void add_sweep_task(CLI::App& sweep, ExitCode& code);
void add_sweep_job(CLI::App& sweep, ExitCode& code);

}  // namespace lacuna::app
