// Progress of a long piece of work, on standard error: one line that is redrawn on a terminal,
// plain lines at a modest rate elsewhere (a log file must stay readable), or nothing.
//
// Thread-safe: workers may call advance() at will; drawing is limited to a few times a second. With
// advance() the rate and the remaining time come from the mean since the start. With update() they
// come from the recent steps: without the first one, which is slow for reasons of its own, the
// median of the first twenty, then the mean of the last hundred, with what happens between them.
#pragma once

#include <cstdint>
#include <deque>
#include <iosfwd>
#include <mutex>
#include <optional>
#include <string>

#include "base/process/clock.h"

namespace lacuna {

enum class ProgressStyle { kQuiet, kLines, kBar };

// kQuiet if asked for, else kBar when standard error is a terminal.
ProgressStyle progress_style(bool quiet);

class Progress {
 public:
  // `label` and `unit` as in "ingest  3/10 cases": what is done, and the plural of one item.
  // `total` 0: unknown, so neither bar nor remaining time. Clock and stream outlive the object.
  Progress(std::string label, std::string unit, std::int64_t total, ProgressStyle style);
  Progress(std::string label, std::string unit, std::int64_t total, ProgressStyle style,
           const Clock& clock, std::ostream& out);
  ~Progress();  // ends the redrawn line, as finish() does
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance(std::int64_t items = 1);
  // The position, for work that is resumed or counted elsewhere; `note` is shown behind the rate
  // ("loss 0.41"). The rate counts from the first position given to update() or 0.
  void update(std::int64_t done, const std::string& note = "");
  // Draws what was not drawn yet and ends the line. Later calls do nothing.
  void finish();

 private:
  void draw(bool last);
  std::string line(double now) const;
  std::optional<double> seconds_each(double now) const;  // none while it is not known

  const std::string label_, unit_;
  const std::int64_t total_;
  const ProgressStyle style_;
  const Clock& clock_;
  std::ostream& out_;
  const double start_;
  std::mutex mutex_;
  std::string note_, shown_;
  struct Interval {
    double seconds;
    std::int64_t items;
  };
  std::int64_t first_ = -1, done_ = 0;
  bool updated_ = false;
  double updated_at_ = 0;
  std::deque<Interval> recent_;  // between calls of update()
  double drawn_;                 // when
  bool finished_ = false;
};

// "45 s", "3 min 20 s", "2 h 05 min": for remaining and elapsed times.
std::string format_duration(double seconds);

}  // namespace lacuna
