#include "base/metrics/process_figures.h"

#include <cstdint>
#include <fstream>
#include <string>

#include <sys/resource.h>
#include <unistd.h>

#include "base/metrics/metric_names.h"

namespace lacuna {
namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

ProcessFigures::ProcessFigures(Metrics& metrics, const Clock& clock)
    : resident_(metrics.gauge(metric::kResident)),
      threads_(metrics.gauge(metric::kThreads)),
      processor_(metrics.counter(metric::kProcessor)) {
  metrics.gauge(metric::kStarted, {}, clock.unix_seconds());
  sample();
}

void ProcessFigures::sample() {
  std::int64_t size = 0, resident = 0;  // pages
  if (std::ifstream("/proc/self/statm") >> size >> resident) {
    resident_.set(static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  }
  // "PID (NAME) STATE" and 16 numbers before the one of threads; the name may hold anything.
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const auto name_end = line.rfind(')');
  if (name_end != std::string::npos) {
    std::size_t at = name_end + 1;
    for (int skipped = 0; skipped < 17 && at != std::string::npos; ++skipped) {
      at = line.find(' ', at + 1);
    }
    if (at != std::string::npos) threads_.set(std::strtod(line.c_str() + at, nullptr));
  }
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    processor_.raise_to(seconds(usage.ru_utime) + seconds(usage.ru_stime));
  }
}

}  // namespace lacuna
