// lacuna methods [NAME]: what is built in.
#include <fmt/core.h>

#include "app/command.h"
#include "methods/registry.h"

namespace lacuna::app {

void add_methods(CLI::App& program, ExitCode&) {
  auto* command = program.add_subcommand("methods", "What is built in, with source and options");
  command->callback([] {
    for (const auto* entry : methods::all_methods())
      fmt::print("{}  {}\n", entry->name, entry->title);
  });
}

}  // namespace lacuna::app
