#include "coordinator/status/run_status.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/process/clock.h"
#include "base/text/parse_json.h"

namespace lacuna::coordinator {
namespace {

constexpr std::size_t kEvents = 20;  // a screenful
// Of a longer metrics.jsonl only some lines, evenly spread, are parsed: a second of work at most.
constexpr std::uintmax_t kParsedBytes = 8 * 1024 * 1024;
// The newest lines are parsed whatever the length.
constexpr std::uintmax_t kTailBytes = 256 * 1024;
constexpr std::size_t kLosses = 160;
// Speed is the mean over about the last ten minutes, so that it holds validations and saves.
constexpr double kSpeedSeconds = 600;
constexpr std::size_t kPoints = 1024, kFewPoints = 20;

// A whole line of a file; a damaged one is null.
Json parse_line(std::string_view text) {
  Json line = parse_json_line(text);
  return line.is_object() ? line : Json();
}

template <typename T>
void push(std::deque<T>& queue, T item, std::size_t limit) {
  queue.push_back(std::move(item));
  if (queue.size() > limit) queue.pop_front();
}

// "2026-11-21T05:00:00Z" as seconds since 1970.
std::optional<double> parse_time(const Json& text) {
  if (!text.is_string()) return std::nullopt;
  return parse_utc(text.get_ref<const std::string&>());
}

std::int64_t step_of(const Json& line) {
  const auto found = line.find("step");
  return found != line.end() && found->is_number() ? found->get<std::int64_t>() : 0;
}

std::string state_after(const std::string& event, const std::string& before) {
  if (event == "start" || event == "resume" || event == "stage") return "running";
  if (event == "stop") return "stopped on request";
  if (event == "diverged" || event == "done") return event;
  if (event == "peer_lost") return "lost a rank";
  return before;
}

}  // namespace

RunStatus::RunStatus(const std::filesystem::path& run_directory, const Clock& clock)
    : directory_(std::filesystem::absolute(run_directory).lexically_normal()),
      clock_(clock),
      metrics_file_(directory_ / "metrics.jsonl"),
      events_file_(directory_ / "events.jsonl") {}

void RunStatus::publish(const std::string& kind, const Json& what) {
  const std::lock_guard lock(mutex_);
  if (kind == "plan") plan_.update(what);
  if (kind == "metrics") publish_metrics(what);
  if (kind == "event") publish_event(what);
}

void RunStatus::publish_metrics(const Json& line) {
  metrics_ = line;
  step_ = step_of(line);
  history_.add(line);
  // A resumed run writes the steps after its checkpoint again.
  while (!losses_.empty() && losses_.back().at(0) >= step_of(line)) losses_.pop_back();
  push(losses_, Json{step_of(line), line.value("loss", Json())}, kLosses);
  if (!line.value("validation", Json()).is_object()) return;
  validation_ = line.at("validation");
  if (!validation_.contains("step")) validation_["step"] = step_of(line);
  const Json score = validation_.value("score", Json());
  if (score.is_number()) best_score_ = std::max(best_score_, score.get<double>());
  validation_["best_score"] = best_score_;
}

void RunStatus::publish_event(const Json& line) {
  const Json name = line.value("event", Json());
  const std::string event = name.is_string() ? name.get<std::string>() : "";
  const bool routine = event == "checkpoint" || event == "validation";
  push(routine ? routine_ : events_, Event{events_so_far_++, line}, kEvents);
  state_ = state_after(event, state_);
  if (event == "start") ++starts_;
  if (event == "resume") ++resumes_;
  if (event == "checkpoint") checkpoint_ = line;
}

void RunStatus::position(std::int64_t step) {
  const std::lock_guard lock(mutex_);
  const double now = clock_.seconds();
  if (!points_.empty() && step < points_.back().step) points_.clear();
  if (step > 0) step_ = step;  // 0: the trainer has not begun, or resumes
  if (points_.empty() || points_.back().step != step) push(points_, Point{now, step}, kPoints);
  while (points_.size() > 2 && now - points_.front().seconds > kSpeedSeconds) points_.pop_front();
}

void RunStatus::read_run_file() {
  if (plan_.contains("modalities")) return;
  try {
    const Json run = read_json(directory_ / "run.json");
    plan_["method"] = run.value("method", Json());
    plan_["steps"] = run.value("train", Json::object()).value("steps", Json());
    const auto modalities = "/provenance/cohort/modalities"_json_pointer;
    if (run.contains(modalities)) plan_["modalities"] = run.at(modalities);
  } catch (const std::exception&) {
    // A run that has not begun has no run.json yet.
  }
}

bool RunStatus::read_files() {
  const std::lock_guard lock(mutex_);
  read_run_file();
  const std::uintmax_t every = metrics_file_.unread() / kParsedBytes + 1;
  std::uintmax_t number = 0;
  const bool same = metrics_file_.read([&](std::string_view text, std::uintmax_t left) {
    const bool needed = number++ % every == 0 || left < kTailBytes ||
                        text.find("\"validation\"") != std::string_view::npos;
    if (!needed) return;
    if (const Json line = parse_line(text); !line.is_null()) publish_metrics(line);
  });
  return events_file_.read([&](std::string_view text, std::uintmax_t) {
    if (const Json line = parse_line(text); !line.is_null()) publish_event(line);
  }) && same;
}

double RunStatus::seconds_per_step() const {
  // The first point may be the jump from 0 to the step of a checkpoint.
  if (points_.size() < 3) return 0;
  const Point& first = points_[1];
  const Point& last = points_.back();
  // While there are few, a slow one (the second step, a first validation) must not decide: the
  // median. Later the mean, which holds validations and saves in their proportion.
  if (points_.size() < kFewPoints) {
    std::vector<double> each;
    for (std::size_t i = 2; i < points_.size(); ++i) {
      each.push_back((points_[i].seconds - points_[i - 1].seconds) /
                     static_cast<double>(points_[i].step - points_[i - 1].step));
    }
    const auto middle = each.begin() + static_cast<std::ptrdiff_t>(each.size() / 2);
    std::nth_element(each.begin(), middle, each.end());
    return *middle;
  }
  return (last.seconds - first.seconds) / static_cast<double>(last.step - first.step);
}

Json RunStatus::history() const {
  std::unique_lock lock(mutex_);
  const History copy = history_;
  lock.unlock();  // the trainer, which publishes, must not wait for the text
  return copy.json();
}

Json RunStatus::status() const {
  const std::lock_guard lock(mutex_);
  const double each = seconds_per_step();
  const auto steps = plan_.value("steps", Json());
  Json eta;
  if (steps.is_number() && each > 0 && state_ == "running") {
    eta = each * static_cast<double>(steps.get<std::int64_t>() - step_);
  }
  Json checkpoint = checkpoint_;
  if (checkpoint.is_object()) {
    if (const auto at = parse_time(checkpoint.value("time", Json()))) {
      checkpoint["age_seconds"] = std::max(0.0, clock_.unix_seconds() - *at);
    }
    checkpoint.erase("event");
  }
  std::vector<Event> merged;
  std::merge(events_.begin(), events_.end(), routine_.begin(), routine_.end(),
             std::back_inserter(merged),
             [](const Event& a, const Event& b) { return a.number < b.number; });
  Json events = Json::array();
  for (Event& event : merged) events.push_back(std::move(event.line));
  const auto planned = [&](const char* name) { return plan_.value(name, Json()); };
  const auto metric = [&](const char* name) { return metrics_.value(name, Json()); };
  return {{"run", directory_.filename().string()},
          {"directory", directory_.string()},
          {"method", planned("method")},
          {"modalities", planned("modalities")},
          {"regions", planned("regions")},
          {"stages", planned("stages")},
          {"state", state_},
          {"stage", metric("stage")},
          {"step", step_},
          {"steps", steps},
          {"seconds_per_step",
           each > 0 ? Json(each) : metrics_.value("/seconds/step"_json_pointer, Json())},
          {"eta_seconds", eta},
          {"samples_per_second", metric("samples_per_second")},
          {"loss", metric("loss")},
          {"losses", metric("losses")},
          {"recent_losses", losses_},
          {"learning_rates", metric("learning_rates")},
          {"diagnostics", metric("diagnostics")},
          {"seconds", metric("seconds")},
          {"skipped_steps", metric("skipped_steps")},
          {"skipped_cases", metric("skipped_cases")},
          {"checkpoint_failures", metric("checkpoint_failures")},
          {"metrics_step", metrics_.value("step", Json())},
          {"validation", validation_},
          {"checkpoint", checkpoint},
          {"restarts", starts_ + resumes_ > 0 ? starts_ + resumes_ - 1 : 0},
          {"events", events}};
}

}  // namespace lacuna::coordinator
