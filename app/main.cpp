// The program: parses the command line, runs one command, and turns errors into exit codes.
#include <exception>
#include <iostream>

#include "app/command.h"
#include "base/log.h"

namespace {

constexpr lacuna::app::AddCommand kCommands[] = {
    // One line per command, in the order of --help.
    lacuna::app::add_methods,
};

}  // namespace

int main(int argc, char** argv) {
  using lacuna::ExitCode;
  CLI::App program{"Trains and compares brain-tumour segmentation with missing MRI modalities."};
  program.name("lacuna");
  program.require_subcommand(1);
  program.set_version_flag("--version", LACUNA_VERSION);
  ExitCode code = ExitCode::kDone;
  for (const auto add : kCommands) add(program, code);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int parsed = program.exit(error);
    return parsed == 0 ? 0 : static_cast<int>(ExitCode::kBadUsage);
  } catch (const lacuna::Error& error) {
    lacuna::log::error("{}", error.what());
    return static_cast<int>(error.code());
  } catch (const std::bad_alloc&) {
    lacuna::log::error("out of memory. Use a smaller patch, batch or fewer loader threads.");
    return static_cast<int>(ExitCode::kError);
  } catch (const std::exception& error) {
    lacuna::log::error("unexpected: {}", error.what());
    return static_cast<int>(ExitCode::kError);
  }
  return static_cast<int>(code);
}
