// `lacuna train --ranks W` outside mpirun and srun, and a run of one rank that is to be restarted:
// starts this program again as W ranks and watches over them (coordinator/supervisor/supervisor.h).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "coordinator/supervisor/launcher.h"

namespace lacuna::app {

struct RankedRun {
  int ranks = 2;
  coordinator::Launcher launcher = coordinator::Launcher::kAuto;
  int max_restarts = 3;
  double silent_seconds = 30;           // as monitor.heartbeat_limit
  bool fewer_after_loss = false;        // a rank less at each restart, but never none
  std::vector<std::string> arguments;   // of this program, for a rank
  std::filesystem::path run_directory;  // that the arguments name
};

// Returns what the run ended with. Throws ConfigError or Error when ranks cannot be started.
ExitCode supervise(const RankedRun& run);

}  // namespace lacuna::app
