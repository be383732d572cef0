// Messages for people, on standard error. Thread-safe. Level from LACUNA_LOG (debug, info, warn,
// error; default info); colour only on a terminal.
//
// No call but flush() ever waits for a disk or a terminal: threads of their own write, one for the
// terminal and one for files, and when they cannot keep up the oldest messages are given up. What
// was said is written when the process ends by exit(), within seconds; before _exit(), flush().
#pragma once

#include <string>
#include <utility>

#include <fmt/format.h>

namespace lacuna::log {

enum class Level { kDebug, kInfo, kWarn, kError };

void write(Level level, const std::string& text);
void set_level(Level level);
// This process is rank N > 0 of several: the terminal shows its warnings and errors only, with the
// rank; its log file everything.
void set_rank(int rank);
// Also appends to a file (log/rank-N.log of a run directory) from now on.
void add_file(const std::string& path);
// Waits until all that was said so far is written; false when that takes longer than `seconds`.
bool flush(double seconds);

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kWarn, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace lacuna::log
