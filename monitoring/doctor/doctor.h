// Examines the machine and this build: what is there, and what to do about what is missing.
//
// examine() gathers; judge_machine() and the other judges are pure, so that every finding can be
// tested with invented facts. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/files/file_system.h"
#include "base/process/clock.h"
#include "base/text/json.h"

namespace lacuna::monitoring {

struct Finding {
  enum class Verdict { kGood, kAdvice, kProblem };
  Verdict verdict = Verdict::kGood;
  std::string topic;   // "software", "processor", "memory", "gpu", "limits", "disk", "data",
                       // "ranks"
  std::string name;    // "free disk space"
  std::string value;   // "12.3 GiB in /scratch"
  std::string advice;  // what to do; empty when good
};

struct MachineFacts {
  int cores = 1;  // that this process may use
  int machine_cores = 1;
  double quota_cores = 0;  // of the control group; 0 = unlimited
  std::string processor;
  std::vector<std::string> cpu_flags;  // as in /proc/cpuinfo
  std::uint64_t memory_bytes = 0;      // of the machine or its control group
  std::uint64_t available_memory_bytes = 0;
  std::uint64_t open_files = 0;           // soft limit
  std::uint64_t shared_memory_bytes = 0, free_shared_memory_bytes = 0;  // of /dev/shm
  std::uint64_t free_disk_bytes = 0;      // where results go
  std::string directory;                  // where that is
};

struct Gpu {
  std::string name;
  std::uint64_t memory_bytes = 0;
  int major = 0, minor = 0;  // compute capability
};

struct GpuFacts {
  int runtime_version = 0;  // CUDA runtime in this program, 13000 = 13.0; 0 = none
  int driver_version = 0;   // newest runtime that the driver supports; 0 = no driver
  std::string cudnn;
  bool device_nodes = false;  // /dev/nvidia* exists
  std::vector<Gpu> gpus;
};

// One all-reduce of `bytes` over ranks that a launcher started, or why there was none.
struct RankFacts {
  int ranks = 2, hosts = 1;
  int cores = 1;         // that the ranks of a host share
  std::string launcher;  // "mpirun"
  std::uint64_t bytes = 0;
  double seconds = 1;                  // median of several, of the slowest rank
  double copy_bytes_per_second = 1e9;  // of one thread's memcpy on this host
  std::string problem, remedy;         // empty when it was measured
};

MachineFacts gather_machine(const Path& directory);
GpuFacts gather_gpus();

std::vector<Finding> judge_software();
std::vector<Finding> judge_machine(const MachineFacts& facts);
std::vector<Finding> judge_gpus(const GpuFacts& facts);
// Advice when it is slower than a quarter of what the machine should do.
Finding judge_ranks(const RankFacts& facts);
// 2 (n - 1) / n * bytes / seconds: what each link carries, comparable over numbers of ranks.
double bus_bandwidth(const RankFacts& facts);
// Writes a file of 16 MiB as a checkpoint is written (fsync, rename), times it, removes it.
Finding probe_disk(FileSystem& files, const Clock& clock, const Path& directory);
// Draws training batches from a cache for about two seconds. Throws nothing: a cache that cannot be
// read is a finding.
Finding probe_loader(const Clock& clock, const Path& cache, int threads);

std::vector<Finding> examine(const Path& directory, const std::optional<Path>& cache);

bool has_problem(const std::vector<Finding>& findings);
Json to_json(const std::vector<Finding>& findings);

}  // namespace lacuna::monitoring
