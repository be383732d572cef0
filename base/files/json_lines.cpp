#include "base/files/json_lines.h"

#include <cerrno>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files/file_system.h"
#include "base/text/log.h"
#include "base/text/parse_json.h"

namespace lacuna {
namespace {

constexpr std::size_t kMostWaiting = 64 << 20;  // bytes of lines that wait for space

// Whether a line is whole and not past `last_step`.
bool is_kept(const std::string& line, std::int64_t last_step) {
  const Json object = parse_json_line(line);
  if (!object.is_object()) return false;
  const auto step = object.find("step");
  return step == object.end() || !step->is_number() || step->get<std::int64_t>() <= last_step;
}

void drop_lines_past(const std::filesystem::path& path, std::int64_t last_step) {
  const auto text = read_if_there(path);
  if (!text) return;
  std::istringstream file(*text);
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
  struct stat info {};
  unnamed_ = ::stat(path_.c_str(), &info) != 0;
  file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file_ < 0) {
    throw_error<DataError>("{}: cannot be opened for writing: {}. Check permissions and space.",
                           path_.string(), std::strerror(errno));
  }
  torn_ = ends_within_a_line(file_);
}

JsonLines::~JsonLines() {
  write_waiting();
  ::close(file_);
}

bool JsonLines::append(const Json& line) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  waiting_bytes_ += waiting_.back().size();
  const bool written = write_waiting();
  const int error = errno;
  for (; waiting_bytes_ > kMostWaiting; ++given_up_) {
    waiting_bytes_ -= waiting_.front().size();
    waiting_.pop_front();
  }
  if (!written && !warned_) {
    warned_ = true;
    log::warn(
        "{}: a line could not be written: {}. Free space; training goes on, and writes it when it "
        "can.",
        path_.string(), std::strerror(error));
  } else if (written && warned_) {
    warned_ = false;
    log::info("{}: the lines that found no space are written{}", path_.string(),
              given_up_ > 0 ? fmt::format(", but for {}: too many to keep", given_up_) : "");
    given_up_ = 0;
  }
  errno = error;
  return written;
}

bool JsonLines::write_waiting() {
  for (; !waiting_.empty(); waiting_.pop_front()) {
    if (!write_line(waiting_.front())) return false;
    waiting_bytes_ -= waiting_.front().size();
  }
  return true;
}

bool JsonLines::write_line(const std::string& line) {
  struct stat before {};
  const bool known = ::fstat(file_, &before) == 0;
  const std::string text = (torn_ ? "\n" : "") + line;
  ssize_t written = 0;
  do {
    written = ::write(file_, text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(text.size())) {
    torn_ = false;
    return true;
  }
  const int error = written < 0 ? errno : ENOSPC;
  if (written > 0) {
    // The piece goes again, unless another process has written behind it in the meantime.
    struct stat after {};
    const bool last = known && ::fstat(file_, &after) == 0 &&
                      after.st_size == before.st_size + static_cast<off_t>(written);
    if (!last || ::ftruncate(file_, before.st_size) != 0) torn_ = true;
  }
  errno = error;
  return false;
}

bool JsonLines::sync() {
  {
    const std::lock_guard lock(mutex_);
    if (!write_waiting()) return false;
  }
  // Without the lock: others may go on writing lines while the disk is busy.
  if (::fsync(file_) != 0) return false;
  if (!unnamed_) return true;
  try {
    posix_file_system().sync_directory(path_.parent_path());
  } catch (const DataError&) {
    return false;
  }
  unnamed_ = false;
  return true;
}

std::optional<std::string> read_if_there(const std::filesystem::path& path) {
  FileSystem& files = posix_file_system();
  if (!files.exists(path)) return std::nullopt;
  const std::vector<std::byte> bytes = files.read(path);
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

int for_each_json_line(const std::filesystem::path& path,
                       const std::function<void(const Json&)>& use) {
  std::istringstream file(read_if_there(path).value_or(""));
  int damaged = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) continue;
    const Json value = parse_json_line(line);
    if (value.is_object()) {
      use(value);
    } else {
      ++damaged;
    }
  }
  return damaged;
}

void append_durably(const std::filesystem::path& path, const Json& line) {
  JsonLines lines(path);
  if (lines.append(line) && lines.sync()) return;
  throw_error<DataError>(
      "{}: a line could not be written: {}. Free space, or ask for more quota, and start the same "
      "command again.",
      path.string(), std::strerror(errno));
}

}  // namespace lacuna
