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

// In the order of --help, under what one wants to do.
struct Commands {
  const char* group;
  std::vector<lacuna::app::AddCommand> add;
};
const std::vector<Commands>& all_commands() {
  using namespace lacuna::app;  // NOLINT(google-build-using-namespace)
  static const std::vector<Commands> commands = {
      {"Begin here", {add_demo, add_doctor}},
      {"Data", {add_phantom, add_ingest, add_inspect, add_view}},
      {"Train", {add_methods, add_config, add_train, add_monitor, add_sweep}},
      {"Results", {add_eval, add_predict, add_metrics, add_report, add_export}},
      {"Weights and numbers of other programs", {add_weights, add_forward}},
      {"This program", {add_bench, add_completion}},
  };
  return commands;
}

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
void check_command_names(const CLI::App& program, const std::vector<std::string>& arguments) {
  const CLI::App* command = &program;
  std::string name = "lacuna";
  for (const std::string& word : arguments) {
    const std::vector<const CLI::App*> below = command->get_subcommands(nullptr);
    if (below.empty() || word.starts_with('-')) return;
    std::vector<std::string> names;
    const CLI::App* next = nullptr;
    for (const CLI::App* each : below) {
      names.push_back(each->get_name());
      if (names.back() == word) next = each;
    }
    if (next == nullptr) {
      const std::string near = lacuna::nearest(word, names);
      lacuna::throw_error<lacuna::ConfigError>(
          "unknown command \"{} {}\"{} Run: {} --help", name, word,
          near.empty() ? "." : fmt::format("; did you mean \"{}\"?", near), name);
    }
    command = next;
    name += " " + word;
  }
}

// What stands on the command line and is no option or command there, and what may have been meant.
std::string explain_extras(const CLI::App& program) {
  const CLI::App* command = &program;
  std::string name = "lacuna";
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    name += " " + command->get_name();
  }
  const std::vector<std::string> extras = program.remaining(/*recurse=*/true);
  const std::string word = extras.empty() ? "" : extras.front();
  std::vector<std::string> known;
  for (const CLI::Option* option : command->get_options()) {
    for (const std::string& each : option->get_lnames()) known.push_back("--" + each);
  }
  for (const CLI::App* each : command->get_subcommands(nullptr)) known.push_back(each->get_name());
  const std::string near = lacuna::nearest(word.substr(0, word.find('=')), known);
  return fmt::format("{}: \"{}\" is not expected there{} Run: {} --help", name, word,
                     near.empty() ? "." : fmt::format("; did you mean \"{}\"?", near), name);
}

}  // namespace

int lacuna::app::run_program(const std::vector<std::string>& arguments) {
  CLI::App program{"Trains and compares brain-tumour segmentation with missing MRI modalities."};
  program.name("lacuna");
  program.require_subcommand(1);
  program.set_version_flag("--version", LACUNA_VERSION);
  ExitCode code = ExitCode::kDone;
  for (const Commands& commands : all_commands()) {
    for (const auto add : commands.add) {
      add(program, code);
      program.get_subcommands(nullptr).back()->group(commands.group);
    }
  }
  // Behind `sweep job ... --` stands the command line of another program: no option there is ours.
  std::vector<std::string> ours = arguments;
  if (ours.size() > 1 && ours[0] == "sweep" && ours[1] == "job") {
    ours.erase(std::find(ours.begin(), ours.end(), "--"), ours.end());
  }
  try {
    check_command_names(program, ours);
    program.parse(std::vector<std::string>(ours.rbegin(), ours.rend()));  // last first
  } catch (const CLI::ExtrasError&) {
    log::error("{}", explain_extras(program));
    return static_cast<int>(ExitCode::kBadUsage);
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
