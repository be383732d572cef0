// How the ranks of a run are started: the command line of mpirun or srun, and the environment that
// it needs. A pure function of facts about the machine, so that every case is tested with invented
// facts. Nothing passes through a shell.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lacuna::coordinator {

enum class Launcher { kAuto, kMpirun, kSrun, kSolo };  // kSolo: one rank, started directly

struct LaunchFacts {
  std::map<std::string, std::string> environment;  // of this process
  bool is_root = false;
  int cores = 1;  // of this host that this process may use
  bool has_mpirun = false, has_srun = false;
  bool srun_has_pmix = false;  // `srun --mpi=list` names it; asked only inside an allocation
  std::int64_t shared_memory_free = -1;  // bytes in /dev/shm; -1: not known
};

struct LaunchRequest {
  Launcher launcher = Launcher::kAuto;
  int ranks = 2;
  std::vector<std::string> program;  // with its arguments
  // Given to every rank. A variable of the same name in our environment is replaced.
  std::map<std::string, std::string> environment;
  std::string
      scratch;  // directory for shared memory on this host; empty: the launcher's own choice
};

struct LaunchPlan {
  std::vector<std::string> command;
  std::map<std::string, std::string> environment;  // to be added to that of this process
  std::string launcher;                            // "mpirun", "srun"
  std::string reason;                              // why, for people
  std::string warning;                             // what is worth telling them; mostly empty
};

LaunchFacts gather_launch_facts();

// Bytes of /dev/shm that ranks of one host exchange messages through.
std::int64_t shared_memory_needed(int ranks);

// Throws ConfigError when the launcher that was asked for, or any, is not there.
// Settings of Open MPI and OMP_NUM_THREADS that the user has in the environment are kept.
LaunchPlan plan_launch(const LaunchRequest& request, const LaunchFacts& facts);

// In a rank: it is killed when mpirun's process on this host ends, also before MPI has started and
// when that process is killed itself. Nothing happens under another parent.
void end_with_launcher();

// "auto", "mpirun", "srun", "solo". Throws ConfigError for another name.
Launcher launcher_named(const std::string& name);

}  // namespace lacuna::coordinator
