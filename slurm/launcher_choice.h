// Which launcher the ranks of a submitted run will be started with, for people who plan a sweep.
// The decision proper is taken in the job (coordinator/supervisor/launcher.h), where the facts are.
#pragma once

#include <string>

#include "slurm/scheduler.h"

namespace lacuna::slurm {

struct LauncherChoice {
  std::string launcher;  // for `lacuna train --launcher`: "solo", "srun", "mpirun"
  std::string reason;
};

// asked: "auto", "srun", "mpirun". Throws ConfigError for srun where it cannot start MPI ranks.
LauncherChoice choose_launcher(const std::string& asked, int ranks, const Capabilities& found);

}  // namespace lacuna::slurm
