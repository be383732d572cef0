#include "base/process/clock.h"

#include <chrono>
#include <ctime>

#include <fmt/chrono.h>

namespace lacuna {
namespace {

class RealClock final : public Clock {
 public:
  double seconds() const override { return since_epoch(std::chrono::steady_clock::now()); }
  double unix_seconds() const override { return since_epoch(std::chrono::system_clock::now()); }

 private:
  template <typename TimePoint>
  static double since_epoch(TimePoint now) {
    return std::chrono::duration<double>(now.time_since_epoch()).count();
  }
};

}  // namespace

const Clock& steady_clock() {
  static const RealClock instance;
  return instance;
}

std::string utc_text(double unix_seconds) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(unix_seconds)));
}

std::optional<double> parse_utc(const std::string& text) {
  std::tm time{};
  if (!::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &time)) return std::nullopt;
  return static_cast<double>(::timegm(&time));
}

}  // namespace lacuna
