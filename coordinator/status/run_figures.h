// The figures that rank 0 tells for the run: loss, rates, validation, checkpoints, restarts, disk.
// They are read off what the trainer publishes, so that training itself knows nothing of them.
//
// publish() from one thread at a time, sample() from another. Thread-safe so far.
#pragma once

#include <atomic>
#include <filesystem>
#include <string>

#include "base/metrics/metrics.h"
#include "base/process/clock.h"
#include "base/text/json.h"

namespace lacuna::coordinator {

class RunFigures {
 public:
  // metrics and clock outlive the object. What earlier processes of the run wrote (events.jsonl)
  // is read with the first plan.
  RunFigures(Metrics& metrics, std::filesystem::path run_directory, const Clock& clock);

  // As TrainingHooks::publish. A "plan" makes the series; see TrainingHooks for what it holds.
  void publish(const std::string& kind, const Json& what);
  // To be called before the figures are told; `step`: where the run is.
  void sample(std::int64_t step);

 private:
  void plan(const Json& plan);
  void read_events();
  void line(const Json& line);
  void event(const Json& event);
  void validation(const Json& validation);
  void set_table(const Metric& metric, const Json& table);

  Metrics& metrics_;
  const std::filesystem::path directory_;
  const Clock& clock_;
  double restarts_ = -1, best_ = 0;  // the first start is none
  std::atomic<std::int64_t> judged_step_{0};
  Counter restart_count_, nonfinite_, save_failures_;
  Histogram save_time_;
  Gauge step_, staleness_, saved_, saved_step_, disk_free_, disk_size_;
  Gauge eval_stamp_, eval_step_, eval_time_, score_, best_score_;
};

}  // namespace lacuna::coordinator
