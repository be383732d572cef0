// One file per command: <name>_command.cpp defines add_<name>(), which declares options on the
// parser and sets a callback; the callback calls one library function and prints. A command sets
// its exit code through `code`; exceptions are reported by main.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "base/error.h"

namespace lacuna::app {

using AddCommand = void (*)(CLI::App& program, ExitCode& code);

// Under `bench`, with ranks of their own.
void add_allreduce_bench(CLI::App& bench, ExitCode& code);
void add_overlap_bench(CLI::App& bench, ExitCode& code);
void add_bench(CLI::App& program, ExitCode& code);
void add_completion(CLI::App& program, ExitCode& code);
void add_config(CLI::App& program, ExitCode& code);
void add_demo(CLI::App& program, ExitCode& code);
void add_doctor(CLI::App& program, ExitCode& code);
void add_eval(CLI::App& program, ExitCode& code);
void add_export(CLI::App& program, ExitCode& code);
void add_forward(CLI::App& program, ExitCode& code);
void add_ingest(CLI::App& program, ExitCode& code);
void add_inspect(CLI::App& program, ExitCode& code);
void add_methods(CLI::App& program, ExitCode& code);
void add_metrics(CLI::App& program, ExitCode& code);
void add_monitor(CLI::App& program, ExitCode& code);
void add_phantom(CLI::App& program, ExitCode& code);
void add_predict(CLI::App& program, ExitCode& code);
void add_report(CLI::App& program, ExitCode& code);
void add_train(CLI::App& program, ExitCode& code);
void add_view(CLI::App& program, ExitCode& code);
void add_weights(CLI::App& program, ExitCode& code);

}  // namespace lacuna::app
