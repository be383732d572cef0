#include "experiments/run_course.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/text/options.h"
#include "base/text/parse_json.h"

namespace lacuna::experiments {
namespace {

constexpr std::int64_t kTailBytes = 1 << 15;  // some twenty lines of metrics.jsonl

template <typename Use>
void for_each_object(std::istream& lines, const Use& use) {
  for (std::string line; std::getline(lines, line);) {
    const Json object = parse_json_line(line);
    if (object.is_object()) use(object);
  }
}

}  // namespace

std::string read_tail(const Path& path, std::int64_t bytes) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return "";
  const std::int64_t size = file.tellg(), begin = std::max<std::int64_t>(0, size - bytes);
  file.seekg(begin);
  std::string text;
  if (begin > 0) std::getline(file, text);
  std::ostringstream rest;
  rest << file.rdbuf();
  return rest.str();
}

RunCourse read_course(const Path& run_directory) {
  RunCourse course;
  std::vector<double> seconds;
  std::istringstream metrics(read_tail(run_directory / "metrics.jsonl", kTailBytes));
  for_each_object(metrics, [&](const Json& line) {
    const Json* step = find_path(line, "step");
    if (step && step->is_number()) course.step = step->get<std::int64_t>();
    const Json* each = find_path(line, "seconds.step");
    if (each && each->is_number()) seconds.push_back(each->get<double>());
  });
  if (!seconds.empty()) {
    const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
    std::nth_element(seconds.begin(), middle, seconds.end());
    course.step_seconds = *middle;
  }
  std::ifstream events(run_directory / "events.jsonl");
  for_each_object(events, [&](const Json& line) {
    const Json* score = find_path(line, "score");
    if (!score || !score->is_number()) return;
    course.best_score = std::max(course.best_score.value_or(0), score->get<double>());
  });
  return course;
}

}  // namespace lacuna::experiments
