#include "coordinator/supervisor/supervisor_log.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files/held_error.h"
#include "base/files/json_lines.h"
#include "base/process/deadlines.h"
#include "base/text/log.h"

namespace lacuna::coordinator {
namespace {

constexpr double kLogSeconds = 10;  // seconds

int locked(const Path& directory) {
  posix_file_system().make_directories(directory);
  const Path path = directory / "supervisor.jsonl";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) {
    throw_error<DataError>("{}: cannot be opened: {}. Check the directory and its permissions.",
                           path.string(), std::strerror(errno));
  }
  if (::flock(file, LOCK_EX | LOCK_NB) == 0) return file;
  const int code = errno;
  ::close(file);
  if (code != EWOULDBLOCK) {
    throw_error<DataError>("{}: cannot be locked: {}. Use a file system with locks (flock).",
                           path.string(), std::strerror(code));
  }
  throw_error<HeldError>(
      "{}: another `lacuna train` with several ranks works in this directory. Wait for it, stop "
      "it, or choose another --out.",
      directory.string());
}

}  // namespace

SupervisorLog::SupervisorLog(const Path& run_directory, const Clock& clock)
    : path_(run_directory / "supervisor.jsonl"), clock_(clock), lock_(locked(run_directory)) {}

SupervisorLog::~SupervisorLog() { ::close(lock_); }

void SupervisorLog::event(const std::string& kind, Json detail) {
  detail["time"] = utc_text(clock_.unix_seconds());
  detail["event"] = kind;
  const auto append = [&] {
    if (!JsonLines(path_).append(detail)) throw_error<Error>("not written");
  };
  if (run_detached(kLogSeconds, append)) return;
  log::warn("{}: the line \"{}\" could not be written within {:.0f} s", path_.string(), kind,
            kLogSeconds);
}

bool SupervisorLog::answers() {
  return run_detached(kLogSeconds, [&] {
    if (::utimensat(AT_FDCWD, path_.c_str(), nullptr, 0) != 0) throw_error<Error>("not touched");
  });
}

}  // namespace lacuna::coordinator
