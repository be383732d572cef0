#include "slurm/launcher_choice.h"

namespace lacuna::slurm {

LauncherChoice choose_launcher(const std::string& asked, int ranks, const Capabilities& found) {
  if (asked == "srun" && !found.pmix) {
    throw_error<ConfigError>("launcher srun: {}. Use auto or mpirun.", found.pmix_reason);
  }
  if (asked == "srun" || asked == "mpirun") return {asked, "asked for"};
  if (asked != "auto") {
    throw_error<ConfigError>("launcher {}: expected auto, srun or mpirun", asked);
  }
  if (ranks == 1) return {"solo", "one rank needs no launcher"};
  return {found.pmix ? "srun" : "mpirun", found.pmix_reason};
}

}  // namespace lacuna::slurm
