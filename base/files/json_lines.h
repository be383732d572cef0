// A file of one JSON object per line that is only appended to: metrics.jsonl, events.jsonl.
//
// Thread-safe. A failed write (full disk) is warned about and never stops training: the line is
// kept and written, in order, as soon as there is space again. No line is ever left torn.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "base/text/json.h"

namespace lacuna {

class JsonLines {
 public:
  // last_step: lines past it, and torn lines, are dropped first (a resumed run writes them again).
  JsonLines(std::filesystem::path path, std::optional<std::int64_t> last_step = std::nullopt);
  ~JsonLines();
  JsonLines(const JsonLines&) = delete;
  JsonLines& operator=(const JsonLines&) = delete;

  // Both say whether it was done, this line and those before it, for callers that rely on it; errno
  // tells why not. A line that another process left unfinished stays a line of its own.
  bool append(const Json& line);
  bool sync();  // fsync: what a checkpoint relies on is on disk with it

 private:
  bool write_waiting();
  bool write_line(const std::string& line);

  std::filesystem::path path_;
  std::mutex mutex_;
  int file_ = -1;
  bool torn_ = false, warned_ = false;
  std::atomic<bool> unnamed_ = false;  // its name is not synced yet
  std::deque<std::string> waiting_;    // lines that found no space
  std::size_t waiting_bytes_ = 0, given_up_ = 0;
};

// The text of such a file, or nothing where there is none. Throws DataError where storage cannot
// answer (EIO, ESTALE, no permission): what is there must not count as not there.
std::optional<std::string> read_if_there(const std::filesystem::path& path);

// Calls `use` for each JSON object of such a file, which may be missing; returns how many lines
// were none (the last one of a run that was killed, as a rule). Throws as read_if_there() does.
int for_each_json_line(const std::filesystem::path& path,
                       const std::function<void(const Json&)>& use);

// Opens, appends one line, closes; it is on disk when this returns. Throws DataError when it is
// not: a full disk, or a quota.
void append_durably(const std::filesystem::path& path, const Json& line);

}  // namespace lacuna
