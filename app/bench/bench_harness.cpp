#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>

#include <sched.h>

#include "app/bench/bench.h"
#include "base/error.h"

namespace lacuna::app {
namespace {

// The value of a line "key : value" of a /proc file, or "".
std::string proc_value(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    const auto first = line.find_first_not_of(" \t", colon + 1);
    return first == std::string::npos ? "" : line.substr(first);
  }
  return "";
}

std::int64_t status_bytes(const std::string& key) {
  const std::string text = proc_value("/proc/self/status", key);
  return text.empty() ? 0 : std::stoll(text) * 1024;  // "123 kB"
}

int available_cores() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

}  // namespace

Timing measure(const BenchOptions& options, const std::function<void()>& work) {
  if (options.repeats < 1) throw_error<ConfigError>("--repeats: at least 1 is needed");
  for (int i = 0; i < options.warm_up; ++i) work();
  std::vector<double> seconds, cpu;
  for (int i = 0; i < options.repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const std::clock_t cpu_start = std::clock();
    work();
    cpu.push_back(static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC);
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  const double fastest = *std::min_element(seconds.begin(), seconds.end());
  return {median(seconds), fastest, median(cpu), options.repeats};
}

Json entry(const std::string& name, const Timing& timing) {
  return {{"name", name},
          {"seconds", timing.median_seconds},
          {"fastest_seconds", timing.fastest_seconds},
          {"cpu_seconds", timing.cpu_seconds},
          {"repeats", timing.repeats}};
}

Json machine() {
  return {{"cpu", proc_value("/proc/cpuinfo", "model name")}, {"cores", available_cores()}};
}

std::int64_t resident_bytes() { return status_bytes("VmRSS"); }
std::int64_t peak_resident_bytes() { return status_bytes("VmHWM"); }

int bench_threads(const BenchOptions& options) {
  return options.threads > 0 ? options.threads : available_cores();
}

}  // namespace lacuna::app
