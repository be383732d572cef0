// Processor, memory and limits.
#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include "monitoring/doctor/doctor.h"

namespace lacuna::monitoring {
namespace {

using Verdict = Finding::Verdict;

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;

std::string gib(std::uint64_t bytes) {
  return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / kGiB);
}

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// "key : value" of /proc/cpuinfo, its first occurrence.
std::string cpu_field(const std::string& key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (line.starts_with(key) && colon != std::string::npos && colon + 2 <= line.size()) {
      return line.substr(colon + 2);
    }
  }
  return "";
}

std::uint64_t memory_field(const std::string& key) {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key + ":")) return std::stoull(line.substr(key.size() + 1)) * 1024;
  }
  return 0;
}

struct Space {
  std::uint64_t free = 0, size = 0;
};

Space space_of(const Path& path) {
  struct statvfs info {};
  if (statvfs(path.c_str(), &info) != 0) return {};
  return {info.f_bavail * info.f_frsize, info.f_blocks * info.f_frsize};
}

// cpu.max of the control group: "200000 100000" is two cores, "max 100000" no limit.
double core_quota() {
  std::istringstream line(first_line("/sys/fs/cgroup/cpu.max"));
  std::string quota;
  double period = 0;
  if (!(line >> quota >> period) || quota == "max" || period <= 0) return 0;
  return std::stod(quota) / period;
}

std::uint64_t group_memory_limit() {
  const std::string limit = first_line("/sys/fs/cgroup/memory.max");
  return limit.empty() || limit == "max" ? 0 : std::stoull(limit);
}

Finding judge_cores(const MachineFacts& facts) {
  std::string value = fmt::format("{} of {}, {}", facts.cores, facts.machine_cores,
                                  facts.processor.empty() ? "unknown" : facts.processor);
  if (facts.quota_cores > 0 && facts.quota_cores < facts.cores) {
    return {Verdict::kAdvice, "processor", "cores",
            fmt::format("{}, limited to the time of {:.1f}", value, facts.quota_cores),
            fmt::format("Set train.threads to {:.0f}: more threads only wait for each other.",
                        std::max(1.0, facts.quota_cores))};
  }
  if (facts.cores < 2) {
    return {Verdict::kAdvice, "processor", "cores", value,
            "Ask for two or more cores: one loads data while the others compute."};
  }
  return {Verdict::kGood, "processor", "cores", value, ""};
}

Finding judge_instructions(const MachineFacts& facts) {
  const auto has = [&](const char* flag) {
    return std::find(facts.cpu_flags.begin(), facts.cpu_flags.end(), flag) != facts.cpu_flags.end();
  };
  std::string value;
  for (const char* flag : {"avx2", "fma", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16"}) {
    if (has(flag)) value += (value.empty() ? "" : " ") + std::string(flag);
  }
  if (!has("avx2") || !has("fma")) {
    return {Verdict::kProblem, "processor", "instructions", value.empty() ? "no AVX2" : value,
            "Use a processor of 2013 or later, or build with -DLACUNA_ARCH=x86-64."};
  }
  if (has("avx512_bf16") || has("amx_bf16")) {
    value += "; bf16 is fast here (train.precision=bf16)";
  } else {
    value += "; no bf16 arithmetic: train.precision=fp32 is the faster choice";
  }
  return {Verdict::kGood, "processor", "instructions", value, ""};
}

Finding judge_memory(const MachineFacts& facts) {
  const std::string value =
      fmt::format("{} free of {}", gib(facts.available_memory_bytes), gib(facts.memory_bytes));
  const double free = static_cast<double>(facts.available_memory_bytes) / kGiB;
  if (free < 1) {
    return {Verdict::kProblem, "memory", "memory", value,
            "Close other programs or use a larger machine: training needs a gigabyte at least."};
  }
  if (free < 8) {
    return {Verdict::kAdvice, "memory", "memory", value,
            "Enough for small networks. For full-size ones lower model.width, data.patch or "
            "train.batch, or use train.micro_batch."};
  }
  return {Verdict::kGood, "memory", "memory", value, ""};
}

}  // namespace

MachineFacts gather_machine(const Path& directory) {
  MachineFacts facts;
  cpu_set_t set;
  CPU_ZERO(&set);
  facts.machine_cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  facts.cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : facts.machine_cores;
  facts.machine_cores = std::max(facts.machine_cores, facts.cores);
  facts.quota_cores = core_quota();
  facts.processor = cpu_field("model name");
  std::istringstream flags(cpu_field("flags"));
  for (std::string flag; flags >> flag;) facts.cpu_flags.push_back(flag);
  facts.memory_bytes = memory_field("MemTotal");
  facts.available_memory_bytes = memory_field("MemAvailable");
  if (const std::uint64_t limit = group_memory_limit(); limit > 0 && limit < facts.memory_bytes) {
    facts.memory_bytes = limit;
    facts.available_memory_bytes = std::min(facts.available_memory_bytes, limit);
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) facts.open_files = limit.rlim_cur;
  facts.shared_memory_bytes = space_of("/dev/shm").size;
  facts.free_shared_memory_bytes = space_of("/dev/shm").free;
  facts.directory = std::filesystem::absolute(directory).lexically_normal().string();
  facts.free_disk_bytes = space_of(directory).free;
  return facts;
}

std::vector<Finding> judge_machine(const MachineFacts& facts) {
  std::vector<Finding> findings{judge_cores(facts), judge_instructions(facts), judge_memory(facts)};
  const bool few_files = facts.open_files < 1024;
  findings.push_back({few_files ? Verdict::kAdvice : Verdict::kGood, "limits", "open files",
                      std::to_string(facts.open_files),
                      few_files ? "Run: ulimit -n 4096. Each case of a cache is a file." : ""});
  const bool small_shared = facts.shared_memory_bytes < (64u << 20);
  const bool full_shared = facts.free_shared_memory_bytes < (32u << 20);
  const char* about_shared =
      small_shared  ? "Several processes on one machine talk through it: enlarge it (in a "
                      "container: --shm-size=1g)."
      : full_shared ? "Several processes on one machine talk through it, and it is full: see what "
                      "lies there (ls -la /dev/shm)."
                    : "";
  findings.push_back({*about_shared ? Verdict::kAdvice : Verdict::kGood, "limits", "/dev/shm",
                      fmt::format("{}, {:.0f} MiB free", gib(facts.shared_memory_bytes),
                                  static_cast<double>(facts.free_shared_memory_bytes) / (1 << 20)),
                      about_shared});
  const double free = static_cast<double>(facts.free_disk_bytes) / kGiB;
  findings.push_back({free < 1    ? Verdict::kProblem
                      : free < 10 ? Verdict::kAdvice
                                  : Verdict::kGood,
                      "disk", "free space",
                      fmt::format("{} in {}", gib(facts.free_disk_bytes), facts.directory),
                      free < 10 ? "Free space or write elsewhere: the checkpoints of a full-size "
                                  "network take about 0.7 GB each."
                                : ""});
  return findings;
}

}  // namespace lacuna::monitoring
