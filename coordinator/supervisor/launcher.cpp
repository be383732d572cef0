#include "coordinator/supervisor/launcher.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <sched.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/process/child_process.h"

namespace lacuna::coordinator {
namespace {

// Seconds for `srun --mpi=list`, which asks no server.
constexpr double kListDeadline = 10;
// Seconds between SIGTERM and SIGKILL of the ranks that are left when one ends badly. Ranks take
// SIGTERM as a wish to stop, so this is how long they have to write down what happened.
constexpr const char* kKillSeconds = "1";

bool is_on_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (::access((folder + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

// Whether `srun --mpi=list` names the plug-in, alone or with a version: "pmix", "pmix_v4".
bool srun_lists_pmix() {
  const CommandResult list = run_command({{"srun", "--mpi=list"}}, kListDeadline);
  std::istringstream words(list.output + " " + list.error);
  for (std::string word; words >> word;) {
    if (word == "pmix" || word.starts_with("pmix_v")) return true;
  }
  return false;
}

std::string variable(const LaunchFacts& facts, const std::string& name) {
  const auto found = facts.environment.find(name);
  return found == facts.environment.end() ? "" : found->second;
}

int number(const std::string& text, int otherwise) {
  const int value = std::atoi(text.c_str());
  return value > 0 ? value : otherwise;
}

struct Choice {
  bool srun;
  std::string reason;
};

Choice choose(Launcher wanted, const LaunchFacts& facts, bool in_job) {
  if (wanted == Launcher::kSrun) {
    if (!facts.has_srun) {
      throw_error<ConfigError>("--launcher srun: srun is not on PATH. Use --launcher mpirun.");
    }
    if (!in_job) {
      throw_error<ConfigError>(
          "--launcher srun: this is no SLURM job (SLURM_JOB_ID is not set). Start it through "
          "sbatch or salloc, or use --launcher mpirun.");
    }
    return {true, "asked for"};
  }
  if (wanted == Launcher::kAuto && in_job && facts.has_srun && facts.srun_has_pmix) {
    return {true, "inside SLURM job " + variable(facts, "SLURM_JOB_ID") + ", srun has pmix"};
  }
  if (!facts.has_mpirun) {
    throw_error<ConfigError>(
        "several ranks need mpirun, which is not on PATH. Install it (Debian: openmpi-bin), load "
        "the cluster's Open MPI module, or use --ranks 1.");
  }
  if (wanted == Launcher::kMpirun) return {false, "asked for"};
  if (!in_job) return {false, "on this host, no SLURM job"};
  return {false, facts.has_srun ? "srun does not list pmix" : "a SLURM job without srun"};
}

}  // namespace

Launcher launcher_named(const std::string& name) {
  if (name == "auto") return Launcher::kAuto;
  if (name == "mpirun") return Launcher::kMpirun;
  if (name == "srun") return Launcher::kSrun;
  if (name == "solo") return Launcher::kSolo;
  throw_error<ConfigError>("--launcher {}: expected auto, mpirun, srun or solo", name);
}

void end_with_launcher() {
  const pid_t launcher = ::getppid();
  std::ifstream file("/proc/" + std::to_string(launcher) + "/comm");
  std::string parent;
  std::getline(file, parent);
  // Not under srun: which thread of slurmstepd starts a task is its own affair, and the kernel
  // would take the end of that thread for the end of the parent.
  if (parent == "mpirun" || parent == "orterun" || parent == "orted") {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != launcher) ::_exit(128 + SIGKILL);  // it ended before it could be watched
  }
}

LaunchFacts gather_launch_facts() {
  LaunchFacts facts;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos) {
      facts.environment[text.substr(0, equals)] = text.substr(equals + 1);
    }
  }
  facts.is_root = ::geteuid() == 0;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) facts.cores = CPU_COUNT(&set);
  struct statvfs memory {};
  if (::statvfs("/dev/shm", &memory) == 0) {
    facts.shared_memory_free = static_cast<std::int64_t>(memory.f_bavail * memory.f_frsize);
  }
  facts.has_mpirun = is_on_path("mpirun");
  facts.has_srun = is_on_path("srun");
  if (facts.has_srun && facts.environment.contains("SLURM_JOB_ID")) {
    facts.srun_has_pmix = srun_lists_pmix();
  }
  return facts;
}

// Open MPI gives each rank a segment of 4 MiB, and each pair queues in it.
std::int64_t shared_memory_needed(int ranks) { return (std::int64_t{6} << 20) * ranks; }

LaunchPlan plan_launch(const LaunchRequest& request, const LaunchFacts& facts) {
  if (request.launcher == Launcher::kSolo) {
    return {request.program, request.environment, "this program", "one rank", ""};
  }
  const bool in_job = facts.environment.contains("SLURM_JOB_ID");
  const int nodes = number(variable(facts, "SLURM_JOB_NUM_NODES"), 1);
  const Choice choice = choose(request.launcher, facts, in_job);
  LaunchPlan plan;
  plan.launcher = choice.srun ? "srun" : "mpirun";
  plan.reason = choice.reason;
  plan.environment = request.environment;
  const auto unless_set = [&](const std::string& name, const std::string& value) {
    if (!facts.environment.contains(name)) plan.environment[name] = value;
  };

  const int per_node = (request.ranks + nodes - 1) / nodes;
  const int cores = nodes == 1 ? facts.cores : number(variable(facts, "SLURM_CPUS_ON_NODE"), 1);
  if (per_node > cores) unless_set("OMPI_MCA_mpi_yield_when_idle", "1");

  const std::string ranks = std::to_string(request.ranks);
  auto& command = plan.command;
  if (choice.srun) {
    // Without kill-on-bad-exit the others would wait for ever for a rank that died.
    command = {"srun", "--mpi=pmix", "--kill-on-bad-exit=1", "--ntasks=" + ranks};
    const std::string cores_each = variable(facts, "SLURM_CPUS_PER_TASK");
    if (!cores_each.empty()) command.push_back("--cpus-per-task=" + cores_each);
  } else {
    unless_set("OMP_NUM_THREADS", std::to_string(std::max(1, cores / per_node)));
    // Slots and binding count cores for ranks of one thread; ours have several.
    command = {"mpirun",    "-n",   ranks,   "--oversubscribe",
               "--bind-to", "none", "--mca", "odls_base_sigkill_timeout",
               kKillSeconds};
    if (facts.is_root) command.push_back("--allow-run-as-root");
    const bool full = facts.shared_memory_free >= 0 &&
                      facts.shared_memory_free < shared_memory_needed(request.ranks);
    if (nodes == 1 && full && !facts.environment.contains("OMPI_MCA_btl")) {
      // Ranks that find no room there die of SIGBUS or of fifty lines of Open MPI.
      plan.environment["OMPI_MCA_btl"] = "self,tcp";
      unless_set("OMPI_MCA_btl_tcp_if_include", "lo");
      plan.warning = fmt::format(
          "/dev/shm has {:.1f} MiB free, {} ranks want {:.0f}: they talk over loopback instead of "
          "shared memory, which is slower. See what lies there (ls -la /dev/shm); a container gets "
          "more by --shm-size.",
          static_cast<double>(facts.shared_memory_free) / (1 << 20), request.ranks,
          static_cast<double>(shared_memory_needed(request.ranks)) / (1 << 20));
    } else if (nodes == 1) {
      unless_set("OMPI_MCA_btl", "self,vader");
      if (!request.scratch.empty()) {
        // What a killed rank or mpirun leaves lies where we find it.
        unless_set("OMPI_MCA_btl_vader_backing_directory", request.scratch);
        unless_set("OMPI_MCA_orte_tmpdir_base", request.scratch);
      }
      if (in_job)
        command.insert(command.end(), {"--mca", "ras", "^slurm", "--mca", "plm", "isolated"});
    } else {
      for (const auto& [name, value] : plan.environment) {
        command.insert(command.end(), {"-x", name});
      }
    }
  }
  command.insert(command.end(), request.program.begin(), request.program.end());
  return plan;
}

}  // namespace lacuna::coordinator
