// The course of a run in a bounded number of points, for charts: whatever the number of steps, each
// series holds at most kPoints means of neighbouring lines of metrics.jsonl.
//
// Not thread-safe; cheap to copy (so that JSON is made outside of a lock).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/text/json.h"

namespace lacuna::coordinator {

class History {
 public:
  static constexpr std::size_t kPoints = 400;  // even; a chart is about as many pixels wide
  static constexpr std::size_t kSeries = 64;   // further names are left out

  // A line of metrics.jsonl. A resumed run tells steps again: what is known of them is dropped.
  void add(const Json& line);

  // {group: {name: {"step": [...], "value": [...]}}} with the groups loss (total), losses,
  // learning_rates, diagnostics, validation (score and regions) and speed (samples per second).
  // Values have five significant digits; a stretch without a finite value is null.
  Json json() const;

 private:
  struct Point {
    std::int64_t first = 0, last = 0;  // steps
    double sum = 0;
    int finite = 0, lines = 0;
  };
  struct Series {
    std::vector<Point> points;
    int lines_per_point = 1;
  };

  void add(const std::string& group, const std::string& name, std::int64_t step, const Json& value);
  void add_each(const std::string& group, std::int64_t step, const Json& values);
  void forget_from(std::int64_t step);

  std::map<std::string, std::map<std::string, Series>> groups_;
  std::size_t series_ = 0;
  std::int64_t step_ = -1;  // of the last line
};

}  // namespace lacuna::coordinator
