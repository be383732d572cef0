#include "base/files/json_lines.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files/file_system.h"
#include "base/text/log.h"

namespace lacuna {
namespace {

// Whether a line is whole and not past `last_step`.
bool is_kept(const std::string& line, std::int64_t last_step) {
  const Json object = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  return object.is_object() && object.value("step", std::int64_t{0}) <= last_step;
}

void drop_lines_past(const std::filesystem::path& path, std::int64_t last_step) {
  std::ifstream file(path);
  if (!file) return;
  std::string kept, line;
  bool dropped = false;
  while (std::getline(file, line)) {
    // A last line without its newline was torn even where it parses.
    const bool whole = !file.eof() && is_kept(line, last_step);
    if (whole) kept += line + "\n";
    dropped |= !whole;
  }
  if (dropped) write_durably(posix_file_system(), path, kept);
}

bool ends_within_a_line(int file) {
  struct stat info {};
  char last = '\n';
  return ::fstat(file, &info) == 0 && info.st_size > 0 &&
         ::pread(file, &last, 1, info.st_size - 1) == 1 && last != '\n';
}

}  // namespace

JsonLines::JsonLines(std::filesystem::path path, std::optional<std::int64_t> last_step)
    : path_(std::move(path)) {
  if (last_step) drop_lines_past(path_, *last_step);
  file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file_ < 0) {
    throw_error<DataError>("{}: cannot be opened for writing: {}. Check permissions and space.",
                           path_.string(), std::strerror(errno));
  }
  torn_ = ends_within_a_line(file_);
}

JsonLines::~JsonLines() { ::close(file_); }

bool JsonLines::append(const Json& line) {
  const std::lock_guard lock(mutex_);
  const std::string text = (torn_ ? "\n" : "") + line.dump() + "\n";
  const ssize_t written = ::write(file_, text.data(), text.size());
  const int error = errno;
  const bool whole = written == static_cast<ssize_t>(text.size());
  torn_ = whole ? false : torn_ || written > 0;
  if (whole || warned_) return whole;
  warned_ = true;
  log::warn("{}: a line could not be written: {}. Free space; training goes on.", path_.string(),
            written < 0 ? std::strerror(error) : "short write");
  errno = written < 0 ? error : ENOSPC;
  return false;
}

bool JsonLines::sync() { return ::fsync(file_) == 0; }

void append_durably(const std::filesystem::path& path, const Json& line) {
  JsonLines lines(path);
  if (lines.append(line) && lines.sync()) return;
  throw_error<DataError>(
      "{}: a line could not be written: {}. Free space, or ask for more quota, and start the same "
      "command again.",
      path.string(), std::strerror(errno));
}

}  // namespace lacuna
