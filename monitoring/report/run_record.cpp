#include "monitoring/report/run_record.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/files/json_lines.h"
#include "base/text/parse_json.h"

namespace lacuna::monitoring {
namespace {

double as_number(const Json& value) {
  return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

// A number is one point of `only`; an object is a point of each named series.
void append(double step, const Json& line, const char* key, Series& only) {
  if (!line.contains(key)) return;
  only.x.push_back(step);
  only.y.push_back(as_number(line[key]));
}

void append(double step, const Json& line, const char* key, std::map<std::string, Series>& named) {
  if (!line.contains(key)) return;
  const Json& value = line[key];
  if (!value.is_object()) return append(step, line, key, named[""]);
  for (const auto& [name, item] : value.items()) {
    named[name].x.push_back(step);
    named[name].y.push_back(as_number(item));
  }
}

void read_configuration(RunRecord& run) {
  const Path path = run.directory / "run.json";
  run.config = Json::object();
  run.provenance = Json::object();
  if (!exists(path)) {
    run.notes.push_back("run.json is missing, so method, seed and configuration are unknown.");
    return;
  }
  try {
    run.config = read_json(path);
  } catch (const Error& error) {
    run.notes.push_back(fmt::format("run.json cannot be read: {}", error.what()));
    return;
  }
  if (!run.config.is_object()) {
    run.notes.push_back("run.json holds no JSON object.");
    run.config = Json::object();
    return;
  }
  if (run.config.contains("provenance")) {
    run.provenance = run.config["provenance"];
    run.config.erase("provenance");
  }
  const Json method = run.config.value("method", Json());
  if (method.is_string()) run.method = method.get<std::string>();
}

void read_metrics(RunRecord& run) {
  const Path path = run.directory / "metrics.jsonl";
  if (!exists(path)) {
    run.notes.push_back("metrics.jsonl is missing: the run has logged no step yet.");
    return;
  }
  const int damaged = for_each_json_line(path, [&](const Json& line) {
    const double step = as_number(line.value("step", Json()));
    if (!std::isfinite(step)) return;
    run.last_step = std::max(run.last_step, static_cast<std::int64_t>(step));
    append(step, line, "loss", run.loss);
    append(step, line, "losses", run.losses);
    append(step, line, line.contains("learning_rates") ? "learning_rates" : "lr",
           run.learning_rates);
    append(step, line, "samples_per_second", run.samples_per_second);
    append(step, line, "diagnostics", run.diagnostics);
    if (line.contains("validation") && line["validation"].is_object()) {
      // A validation rank reports some steps later.
      const Json& validation = line["validation"];
      append(as_number(validation.value("step", Json(step))), validation, "score", run.validation);
    }
  });
  if (damaged > 0) {
    run.notes.push_back(fmt::format("metrics.jsonl: {} line{} could not be read and {} left out.",
                                    damaged, damaged == 1 ? "" : "s", damaged == 1 ? "is" : "are"));
  }
}

void read_evaluations(RunRecord& run) {
  const Path directory = run.directory / "eval";
  std::vector<Path> found;
  if (exists(directory)) {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      if (entry.is_directory()) found.push_back(entry.path());
    }
  }
  std::sort(found.begin(), found.end());
  for (const Path& path : found) {
    try {
      run.evaluations.push_back(read_evaluation(path));
    } catch (const Error& error) {
      run.notes.push_back(error.what());
    }
  }
  if (found.empty()) {
    run.notes.push_back(
        fmt::format("Not evaluated yet. Run: lacuna eval {}", run.directory.string()));
  }
}

}  // namespace

Series thin(const Series& series, std::size_t points) {
  const std::size_t size = series.x.size();
  if (size <= points) return series;
  Series result;
  for (std::size_t i = 0; i < points; ++i) {
    const std::size_t begin = i * size / points, end = (i + 1) * size / points;
    result.x.push_back(series.x[(begin + end - 1) / 2]);
    double sum = 0;
    int count = 0;
    for (std::size_t k = begin; k < end; ++k) {
      if (!std::isfinite(series.y[k])) continue;
      sum += series.y[k];
      ++count;
    }
    result.y.push_back(count > 0 ? sum / count : std::numeric_limits<double>::quiet_NaN());
  }
  return result;
}

const EvaluationRecord* RunRecord::evaluation(const std::string& name) const {
  const auto found = std::find_if(evaluations.begin(), evaluations.end(),
                                  [&](const auto& each) { return each.name == name; });
  return found == evaluations.end() ? nullptr : &*found;
}

RunRecord read_run(const Path& directory) {
  if (!is_directory(directory)) {
    throw_error<DataError>("{}: no run directory. Name a directory that `lacuna train` wrote.",
                           directory.string());
  }
  RunRecord run;
  run.directory = directory;
  read_configuration(run);
  read_metrics(run);
  for_each_json_line(directory / "events.jsonl",
                     [&](const Json& line) { run.events.push_back(line); });
  read_evaluations(run);
  return run;
}

std::vector<RunRecord> read_runs(const std::vector<Path>& directories) {
  std::vector<RunRecord> runs;
  for (const Path& directory : directories) runs.push_back(read_run(directory));
  std::map<std::string, int> of_method;
  for (const RunRecord& run : runs) ++of_method[run.method];
  std::set<std::string> taken;
  for (RunRecord& run : runs) {
    const Path absolute = std::filesystem::absolute(run.directory).lexically_normal();
    const std::string leaf = absolute.has_filename() ? absolute.filename().string()
                                                     : absolute.parent_path().filename().string();
    run.label = run.method;
    if (run.method.empty() || (of_method[run.method] > 1 && run.method != leaf)) {
      run.label += (run.method.empty() ? "" : " ") + leaf;
    }
    const std::string base = run.label;
    for (int i = 2; !taken.insert(run.label).second; ++i)
      run.label = fmt::format("{} ({})", base, i);
  }
  return runs;
}

}  // namespace lacuna::monitoring
