// The state of a run as the status server, the monitor and the page show it: what the trainer
// publishes, put together. docs/coordinator.md lists the fields.
//
// The same object reads a run directory whose process is gone. Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <mutex>
#include <string>

#include "base/process/clock.h"
#include "base/text/json.h"
#include "coordinator/status/history.h"
#include "coordinator/status/lines_follower.h"

namespace lacuna::coordinator {

class RunStatus {
 public:
  // The clock is not owned.
  RunStatus(const std::filesystem::path& run_directory, const Clock& clock);

  // What TrainingHooks::publish tells: "plan", "metrics" or "event".
  void publish(const std::string& kind, const Json& what);
  // Where the trainer is now, for speed and remaining time between two lines of metrics.
  void position(std::int64_t step);
  // Adds what is new in run.json, metrics.jsonl and events.jsonl since the last call. Missing files
  // and torn lines are no error. False when the files were rewritten in between, as a resumed run
  // does: read them with a new object.
  bool read_files();

  Json status() const;
  Json history() const;  // as GET /api/history

 private:
  struct Point {
    double seconds = 0;
    std::int64_t step = 0;
  };
  struct Event {
    std::int64_t number = 0;
    Json line;
  };

  void read_run_file();
  void publish_metrics(const Json& line);
  void publish_event(const Json& line);
  double seconds_per_step() const;

  const std::filesystem::path directory_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  LinesFollower metrics_file_, events_file_;
  Json plan_ = Json::object(), metrics_ = Json::object(), validation_, checkpoint_;
  History history_;
  std::deque<Event> events_, routine_;  // checkpoints and validations must not push out the others
  std::deque<Json> losses_;             // [step, loss]
  std::deque<Point> points_;
  std::int64_t step_ = 0, starts_ = 0, resumes_ = 0, events_so_far_ = 0;
  double best_score_ = 0;
  std::string state_ = "starting";
};

}  // namespace lacuna::coordinator
