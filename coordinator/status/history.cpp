#include "coordinator/status/history.h"

#include <cmath>

namespace lacuna::coordinator {
namespace {

// As short in text as a chart can show it.
Json rounded(double value) {
  if (value == 0) return 0;
  const double scale = std::pow(10.0, 4 - std::floor(std::log10(std::abs(value))));
  const double result = std::round(value * scale) / scale;
  return std::isfinite(result) ? result : value;
}

Json member(const Json& object, const char* key) {
  return object.is_object() ? object.value(key, Json()) : Json();
}

}  // namespace

void History::add(const Json& line) {
  const Json at = member(line, "step");
  if (!at.is_number()) return;
  const auto step = at.get<std::int64_t>();
  if (step <= step_) forget_from(step);
  step_ = step;
  add("loss", "total", step, member(line, "loss"));
  add_each("losses", step, member(line, "losses"));
  add_each("learning_rates", step, member(line, "learning_rates"));
  add_each("diagnostics", step, member(line, "diagnostics"));
  add("speed", "samples per second", step, member(line, "samples_per_second"));
  const Json validation = member(line, "validation");
  if (!validation.is_object()) return;
  // A validation rank reports some steps after the step that it judged.
  const Json judged = member(validation, "step");
  const std::int64_t then = judged.is_number() ? judged.get<std::int64_t>() : step;
  add("validation", "mean", then, member(validation, "score"));
  add_each("validation", then, member(validation, "regions"));
}

void History::add_each(const std::string& group, std::int64_t step, const Json& values) {
  if (!values.is_object()) return;
  for (const auto& [name, value] : values.items()) add(group, name, step, value);
}

void History::add(const std::string& group, const std::string& name, std::int64_t step,
                  const Json& value) {
  auto& names = groups_[group];
  auto found = names.find(name);
  if (found == names.end()) {
    if (series_ >= kSeries) return;
    ++series_;
    found = names.emplace(name, Series{}).first;
  }
  Series& series = found->second;
  auto& points = series.points;
  if (points.empty() || points.back().lines >= series.lines_per_point) {
    if (points.size() == kPoints) {
      for (std::size_t i = 0; i < kPoints / 2; ++i) {
        const Point &one = points[2 * i], &other = points[2 * i + 1];
        points[i] = {one.first, other.last, one.sum + other.sum, one.finite + other.finite,
                     one.lines + other.lines};
      }
      points.resize(kPoints / 2);
      series.lines_per_point *= 2;
    }
    points.push_back({step, step, 0, 0, 0});
  }
  Point& point = points.back();
  point.last = step;
  ++point.lines;
  if (!value.is_number()) return;
  point.sum += value.get<double>();
  ++point.finite;
}

void History::forget_from(std::int64_t step) {
  for (auto& [group, names] : groups_) {
    for (auto& [name, series] : names) {
      while (!series.points.empty() && series.points.back().last >= step) series.points.pop_back();
    }
  }
}

Json History::json() const {
  Json all = Json::object();
  for (const auto& [group, names] : groups_) {
    for (const auto& [name, series] : names) {
      Json steps = Json::array(), values = Json::array();
      for (const Point& point : series.points) {
        steps.push_back((point.first + point.last) / 2);
        values.push_back(point.finite > 0 ? rounded(point.sum / point.finite) : Json());
      }
      all[group][name] = {{"step", std::move(steps)}, {"value", std::move(values)}};
    }
  }
  return all;
}

}  // namespace lacuna::coordinator
