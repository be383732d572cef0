// The program: parses the command line, runs one command, and turns errors into exit codes.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "app/shared/command.h"
#include "app/shared/program.h"
#include "app/shared/tell_exception.h"
#include "app/sweep/sweep.h"
#include "base/text/log.h"
#include "base/text/options.h"

namespace {

constexpr lacuna::app::AddCommand kCommands[] = {
    // One line per command, in the order of --help.
    // clang-format off
    lacuna::app::add_phantom,
    lacuna::app::add_ingest,
    lacuna::app::add_inspect,
    lacuna::app::add_train,
    lacuna::app::add_monitor,
    lacuna::app::add_sweep,
    lacuna::app::add_eval,
    lacuna::app::add_predict,
    lacuna::app::add_metrics,
    lacuna::app::add_report,
    lacuna::app::add_export,
    lacuna::app::add_forward,
    lacuna::app::add_weights,
    lacuna::app::add_methods,
    lacuna::app::add_config,
    lacuna::app::add_doctor,
    lacuna::app::add_bench,
    lacuna::app::add_demo,
    // clang-format on
};

// Libraries load others while they are initialised, and one of NVIDIA's looks for the driver in the
// working directory (an empty entry of its RUNPATH): whoever may write there would choose what we
// run. That happens after the first and before the second of these two functions, in /.
int working_directory = -1;

void leave_working_directory(int, char**, char**) {
  working_directory = ::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (working_directory >= 0 && ::chdir("/") != 0) {
    ::close(working_directory);
    working_directory = -1;
  }
}
[[gnu::section(".preinit_array"),
  gnu::used]] void (*const before_libraries)(int, char**, char**) = leave_working_directory;

[[gnu::constructor(101)]] void enter_working_directory() {
  if (working_directory < 0) return;
  if (::fchdir(working_directory) != 0) ::_exit(static_cast<int>(lacuna::ExitCode::kError));
  ::close(working_directory);
}

// CLI11 reports a misspelt command as a missing one.
void check_command_name(const CLI::App& program, const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments.front().starts_with('-')) return;
  std::vector<std::string> names;
  for (const CLI::App* command : program.get_subcommands(nullptr)) {
    names.push_back(command->get_name());
    if (names.back() == arguments.front()) return;
  }
  const std::string near = lacuna::nearest(arguments.front(), names);
  lacuna::throw_error<lacuna::ConfigError>(
      "unknown command \"{}\"{}. Run: lacuna --help", arguments.front(),
      near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near));
}

}  // namespace

int lacuna::app::run_program(const std::vector<std::string>& arguments) {
  CLI::App program{"Trains and compares brain-tumour segmentation with missing MRI modalities."};
  program.name("lacuna");
  program.require_subcommand(1);
  program.set_version_flag("--version", LACUNA_VERSION);
  ExitCode code = ExitCode::kDone;
  for (const auto add : kCommands) add(program, code);
  // Behind `sweep job ... --` stands the command line of another program: no option there is ours.
  std::vector<std::string> ours = arguments;
  if (ours.size() > 1 && ours[0] == "sweep" && ours[1] == "job") {
    ours.erase(std::find(ours.begin(), ours.end(), "--"), ours.end());
  }
  try {
    check_command_name(program, ours);
    program.parse(std::vector<std::string>(ours.rbegin(), ours.rend()));  // last first
  } catch (const CLI::ParseError& error) {
    const int parsed = program.exit(error);
    return parsed == 0 ? 0 : static_cast<int>(ExitCode::kBadUsage);
  } catch (...) {
    return static_cast<int>(tell_exception().code);
  }
  // What a full disk or a closed pipe took from the output is no success.
  std::cout.flush();
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0 || !std::cout) {
    log::error("standard output could not be written: {}. What was printed is not complete.",
               std::strerror(errno));
    if (code == ExitCode::kDone) code = ExitCode::kError;
  }
  return static_cast<int>(code);
}

int main(int argc, char** argv) {
  // LibTorch reads this at its first allocation: tensors of 2 MiB and more ask for huge pages.
  // Training takes and returns such memory all the time, and each time the system hands it out page
  // by page.
  ::setenv("THP_MEM_ALLOC_ENABLE", "1", /*overwrite=*/0);
  return lacuna::app::run_program(std::vector<std::string>(argv + 1, argv + argc));
}
