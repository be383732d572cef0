#include "coordinator/status/status_text.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text/parse_json.h"
#include "base/text/progress.h"

namespace lacuna::coordinator {
namespace {

// Older than this many seconds, the age of a heartbeat is worth a word.
constexpr double kFreshSeconds = 5;

Json at(const Json& object, const char* key) {
  return object.is_object() ? object.value(key, Json()) : Json();
}

}  // namespace

std::string text_or_dash(const Json& status, const char* key) {
  const Json value = at(status, key);
  if (value.is_string()) return value.get<std::string>();
  return value.is_null() ? "-" : value.dump();
}

std::string number_or_dash(const Json& value, int digits) {
  if (value.is_number_integer()) return value.dump();
  return value.is_number() ? fmt::format("{:.{}g}", value.get<double>(), digits) : "-";
}

std::string duration_or_dash(const Json& value) {
  return value.is_number() ? format_duration(value.get<double>()) : "-";
}

std::optional<double> progress_share(const Json& status) {
  const Json step = at(status, "step"), steps = at(status, "steps");
  if (!step.is_number() || !steps.is_number() || steps <= 0) return std::nullopt;
  return std::clamp(step.get<double>() / steps.get<double>(), 0.0, 1.0);
}

std::string position_text(const Json& status) {
  const auto share = progress_share(status);
  const std::string step = number_or_dash(at(status, "step"));
  if (!share) return "step " + step;
  return fmt::format("step {} of {} ({:.1f} %)", step, at(status, "steps").dump(), 100 * *share);
}

std::string speed_text(const Json& status) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (const Json left = at(status, "eta_seconds"); left.is_number()) {
    add(duration_or_dash(left) + " left");
  }
  if (const Json each = at(status, "seconds_per_step"); each.is_number()) {
    add(number_or_dash(each, 3) + " s per step");
  }
  if (const Json rate = at(status, "samples_per_second"); rate.is_number()) {
    add(number_or_dash(rate, 3) + " samples/s");
  }
  return text.empty() ? "-" : text;
}

std::string validation_text(const Json& status) {
  const Json validation = at(status, "validation");
  if (!validation.is_object()) return "-";
  return fmt::format("step {}: {} (best {})", number_or_dash(at(validation, "step")),
                     number_or_dash(at(validation, "score")),
                     number_or_dash(at(validation, "best_score")));
}

std::string checkpoint_text(const Json& status) {
  const Json checkpoint = at(status, "checkpoint");
  if (!checkpoint.is_object()) return "-";
  std::string text = fmt::format("step {}, {} ago", number_or_dash(at(checkpoint, "step")),
                                 duration_or_dash(at(checkpoint, "age_seconds")));
  const Json failures = at(status, "checkpoint_failures");
  if (failures.is_number() && failures > 0) text += fmt::format("; {} failed", failures.dump());
  return text;
}

std::string event_text(const Json& event) {
  std::string text = fmt::format("{}  {}  step {}", text_or_dash(event, "time"),
                                 text_or_dash(event, "event"), number_or_dash(at(event, "step")));
  for (const auto& [key, value] : event.items()) {
    if (key == "time" || key == "event" || key == "step") continue;
    text += fmt::format("  {} {}", key,
                        value.is_string() ? value.get<std::string>() : number_or_dash(value));
  }
  return text;
}

std::string rank_health(const Json& rank) {
  if (const std::string end = field_or<std::string>(rank, "end", ""); !end.empty()) return end;
  if (!field_or(rank, "heard", false)) return "not heard";
  const double age = field_or(rank, "heartbeat_age", 0.0);
  return age > kFreshSeconds ? "silent " + format_duration(age) : "ok";
}

}  // namespace lacuna::coordinator
