#include "app/shared/report_page.h"

#include <chrono>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/core.h>

#include "base/files/file_system.h"
#include "base/process/build_info.h"
#include "base/text/log.h"
#include "monitoring/report/families.h"
#include "monitoring/report/report.h"

namespace lacuna::app {

void write_report_page(const std::vector<std::filesystem::path>& directories,
                       const std::vector<std::string>& labels, const std::filesystem::path& page) {
  std::vector<monitoring::RunRecord> runs = monitoring::read_runs(directories);
  for (std::size_t i = 0; i < labels.size(); ++i) runs[i].label = labels[i];
  runs = monitoring::join_families(std::move(runs));
  for (const monitoring::RunRecord& run : runs) {
    for (const std::string& note : run.notes) log::warn("{}: {}", run.label, note);
  }
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  const std::string made = fmt::format("{:%Y-%m-%d %H:%M} UTC by lacuna {} ({})", fmt::gmtime(now),
                                       build_info().version, build_info().commit);
  write_durably(posix_file_system(), page, monitoring::make_report(runs, made));
}

}  // namespace lacuna::app
