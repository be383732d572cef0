// The program: parses the command line, runs one command, and turns errors into exit codes.
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "app/command.h"
#include "base/log.h"
#include "base/options.h"

namespace {

constexpr lacuna::app::AddCommand kCommands[] = {
    // One line per command, in the order of --help.
    // clang-format off
    lacuna::app::add_phantom,
    lacuna::app::add_ingest,
    lacuna::app::add_inspect,
    lacuna::app::add_metrics,
    lacuna::app::add_report,
    lacuna::app::add_forward,
    lacuna::app::add_methods,
    lacuna::app::add_doctor,
    // clang-format on
};

// CLI11 reports a misspelt command as a missing one.
void check_command_name(const CLI::App& program, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  std::vector<std::string> names;
  for (const CLI::App* command : program.get_subcommands(nullptr)) {
    names.push_back(command->get_name());
    if (names.back() == argv[1]) return;
  }
  const std::string near = lacuna::nearest(argv[1], names);
  lacuna::throw_error<lacuna::ConfigError>(
      "unknown command \"{}\"{}. Run: lacuna --help", argv[1],
      near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near));
}

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
    check_command_name(program, argc, argv);
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
