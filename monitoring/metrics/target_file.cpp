#include "monitoring/metrics/target_file.h"

#include <chrono>
#include <csignal>
#include <fstream>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files/file_system.h"
#include "base/metrics/metrics.h"
#include "base/process/host.h"
#include "base/text/log.h"
#include "base/text/parse_json.h"

namespace lacuna::monitoring {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "lacuna-";
// Labels that begin with __ do not reach any series.
constexpr const char *kHost = "__meta_lacuna_host", *kPid = "__meta_lacuna_pid",
                     *kStart = "__meta_lacuna_start";

// When a process started, in ticks since the boot of this host; "" when there is none. Tells a
// process from a later one with the same id.
std::string start_of(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::string line;
  std::getline(file, line);
  const auto close = line.rfind(')');
  if (close == std::string::npos) return "";
  std::size_t at = close + 1;
  for (int field = 0; field < 19 && at != std::string::npos; ++field) at = line.find(' ', at + 1);
  if (at == std::string::npos) return "";
  return line.substr(at + 1, line.find(' ', at + 1) - at - 1);
}

Json content_of(const Target& target) {
  const std::string pid = std::to_string(::getpid());
  return Json::array({{{"targets", {target.address}},
                       {"labels",
                        {{"run", target.run},
                         {kHost, clean_label(host_name())},
                         {kPid, pid},
                         {kStart, start_of(pid)}}}}});
}

fs::path name_of(const Target& target) {
  const std::string owner =
      target.job_id.empty() ? fmt::format("{}.{}", host_name(), ::getpid()) : target.job_id;
  return kPrefix + clean_label(target.run) + "-" + clean_label(owner) + ".json";
}

bool is_stale(const fs::path& path) {
  std::ifstream file(path);
  const Json content = parse_json_line(std::string(std::istreambuf_iterator<char>(file), {}));
  if (!content.is_array() || content.empty() || !content[0].is_object()) return false;
  const Json labels = content[0].value("labels", Json::object());
  if (!labels.is_object() || !labels.contains(kPid)) return false;  // not one of ours
  if (field_or<std::string>(labels, kHost, "") == clean_label(host_name())) {
    return start_of(field_or<std::string>(labels, kPid, "")) !=
           field_or<std::string>(labels, kStart, "");
  }
  const auto age = fs::file_time_type::clock::now() - fs::last_write_time(path);
  return age > std::chrono::duration<double>(TargetFile::kStaleSeconds);
}

}  // namespace

TargetFile::TargetFile(fs::path directory, const Target& target)
    : directory_(std::move(directory)),
      path_(directory_ / name_of(target)),
      content_(content_of(target)) {
  posix_file_system().make_directories(directory_);
  sweep_targets(directory_);
  write();
}

TargetFile::~TargetFile() {
  std::error_code ignored;
  fs::remove(path_, ignored);
}

void TargetFile::write() const {
  write_durably(posix_file_system(), path_, content_.dump(2) + "\n");
  ::chmod(path_.c_str(), 0644);  // Prometheus runs as another user
}

void TargetFile::refresh() noexcept {
  try {
    if (::utimensat(AT_FDCWD, path_.c_str(), nullptr, 0) != 0) write();
  } catch (const std::exception& error) {
    log::debug("{}", error.what());  // the warning came when the file was made
  }
}

int sweep_targets(const fs::path& directory) {
  int swept = 0;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(directory, failed)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix) || !name.ends_with(".json")) continue;
    try {
      swept += is_stale(entry.path()) && fs::remove(entry.path());
    } catch (const std::exception& error) {  // somebody else sweeps as well
      log::debug("{}: {}", entry.path().string(), error.what());
    }
  }
  return swept;
}

}  // namespace lacuna::monitoring
