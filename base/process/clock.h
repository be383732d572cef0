// The seam through which time is read, so that tests move time instead of waiting for it.
// Real implementation: steady_clock(). Thread-safe.
#pragma once

#include <optional>
#include <string>

namespace lacuna {

class Clock {
 public:
  virtual ~Clock() = default;
  // Seconds since an arbitrary moment; never goes back. For durations and deadlines.
  virtual double seconds() const = 0;
  // Seconds since 1970 (UTC), for comparison with other machines and for people. May jump.
  virtual double unix_seconds() const = 0;
};

// The process-wide real clock. Not owned by the caller.
const Clock& steady_clock();

// Seconds since 1970 as files of a run hold times: "2026-11-21T04:38:37Z".
std::string utc_text(double unix_seconds);
// The seconds since 1970 of such a text; none where it is another.
std::optional<double> parse_utc(const std::string& text);

}  // namespace lacuna
