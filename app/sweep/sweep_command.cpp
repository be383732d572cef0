// lacuna sweep: many runs as one, on SLURM or on this machine.
#include "app/sweep/sweep.h"

namespace lacuna::app {

void add_sweep(CLI::App& program, ExitCode& code) {
  auto* sweep = program.add_subcommand("sweep", "Plans, runs and compares many runs");
  sweep->require_subcommand(1);
  add_sweep_plan(*sweep, code);
  add_sweep_submit(*sweep, code);
  add_sweep_status(*sweep, code);
  add_sweep_cancel(*sweep, code);
  add_sweep_report(*sweep, code);
  add_sweep_task(*sweep, code);
  add_sweep_job(*sweep, code);
  sweep->footer(
      "Example: lacuna sweep plan experiments/phantom-small.json --set data.cache=cache/\n"
      "         lacuna sweep submit experiments/phantom-small.json --set data.cache=cache/ --local "
      "2");
}

}  // namespace lacuna::app
