#include "coordinator/status/run_figures.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <utility>

#include <sys/statvfs.h>

#include "base/metrics/metric_names.h"
#include "base/text/parse_json.h"

namespace lacuna::coordinator {
namespace {

// Published numbers that are not finite are null.
double number(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number() ? found->get<double>()
                                                   : std::numeric_limits<double>::quiet_NaN();
}

// "importance/T1c" -> "T1c"; "" for another diagnostic.
std::string modality_of(const std::string& diagnostic) {
  const std::string prefix = "importance/";
  return diagnostic.starts_with(prefix) ? diagnostic.substr(prefix.size()) : "";
}

// Subset "FLAIR+T1c" stays; a loss part "meta/loss" becomes "meta:loss".
std::string part_name(std::string name) {
  std::replace(name.begin(), name.end(), '/', ':');
  return name;
}

}  // namespace

RunFigures::RunFigures(Metrics& metrics, std::filesystem::path run_directory, const Clock& clock)
    : metrics_(metrics),
      directory_(std::move(run_directory)),
      clock_(clock),
      restart_count_(metrics.counter(metric::kRestarts)),
      nonfinite_(metrics.counter(metric::kNonfinite)),
      save_failures_(metrics.counter(metric::kSaveFailures)),
      save_time_(metrics.histogram(metric::kSaveTime)),
      step_(metrics.gauge(metric::kRunStep, {}, 0)),
      staleness_(metrics.gauge(metric::kStaleness, {}, 0)),
      saved_(metrics.gauge(metric::kSaved, {}, clock.unix_seconds())),
      saved_step_(metrics.gauge(metric::kSavedStep, {}, 0)),
      disk_free_(metrics.gauge(metric::kDiskFree)),
      disk_size_(metrics.gauge(metric::kDiskSize)),
      eval_stamp_(metrics.gauge(metric::kEvalStamp, {}, clock.unix_seconds())),
      eval_step_(metrics.gauge(metric::kEvalStep, {}, 0)),
      eval_time_(metrics.gauge(metric::kEvalTime)),
      score_(metrics.gauge(metric::kEvalScore, {"newest"})),
      best_score_(metrics.gauge(metric::kEvalScore, {"best"})) {
  metrics.gauge(metric::kLoss, {"total"});
}

void RunFigures::publish(const std::string& kind, const Json& what) {
  if (kind == "plan") plan(what);
  if (kind == "metrics") line(what);
  if (kind == "event") event(what);
}

void RunFigures::plan(const Json& plan) {
  const auto texts = [&](const char* key) {
    return field_or(plan, key, std::vector<std::string>());
  };
  const auto number_or_0 = [&](const char* key) { return field_or(plan, key, 0.0); };
  metrics_.gauge(metric::kRanksExpected).set(number_or_0("ranks"));
  metrics_.gauge(metric::kRunSteps).set(number_or_0("steps"));
  metrics_.gauge(metric::kEvalPeriod).set(number_or_0("validate_every"));
  metrics_.gauge(metric::kSaveIntervalSeconds).set(number_or_0("checkpoint_seconds"));
  metrics_.gauge(metric::kSaveIntervalSteps).set(number_or_0("checkpoint_steps"));
  for (const std::string& group : texts("groups")) {
    metrics_.gauge(metric::kLearningRate, {group});
    metrics_.gauge(metric::kGradNorm, {group});
  }
  for (const std::string& each : texts("diagnostics")) {
    if (const auto name = modality_of(each); !name.empty()) {
      metrics_.gauge(metric::kImportance, {name});
    }
  }
  for (const std::string& subset : texts("subsets")) {
    for (const std::string& region : texts("regions")) {
      metrics_.gauge(metric::kEvalDice, {region, subset});
      metrics_.gauge(metric::kEvalHd95, {region, subset});
    }
  }
  read_events();
  sample(0);
}

void RunFigures::read_events() {
  std::ifstream file(directory_ / "events.jsonl");
  for (std::string text; std::getline(file, text);) {
    const Json line = parse_json_line(text);
    if (!line.is_object()) continue;
    const std::string kind = field_or<std::string>(line, "event", "");
    if (kind == "start" || kind == "resume") ++restarts_;
    if (kind == "validation") best_ = std::max(best_, field_or(line, "score", 0.0));
  }
  restart_count_.raise_to(std::max(0.0, restarts_));
}

void RunFigures::line(const Json& line) {
  metrics_.gauge(metric::kLoss, {"total"}).set(number(line, "loss"));
  const auto each = [&](const char* key, const auto& use) {
    if (const auto found = line.find(key); found != line.end() && found->is_object()) {
      for (const auto& [name, value] : found->items()) use(name, number(*found, name.c_str()));
    }
  };
  each("losses", [&](const std::string& name, double value) {
    metrics_.gauge(metric::kLoss, {part_name(name)}).set(value);
  });
  each("learning_rates", [&](const std::string& name, double value) {
    metrics_.gauge(metric::kLearningRate, {name}).set(value);
  });
  each("gradient_norms", [&](const std::string& name, double value) {
    metrics_.gauge(metric::kGradNorm, {name}).set(value);
  });
  each("diagnostics", [&](const std::string& name, double value) {
    if (const auto modality = modality_of(name); !modality.empty()) {
      metrics_.gauge(metric::kImportance, {modality}).set(value);
    }
  });
  if (line.contains("validation")) validation(line.at("validation"));
}

void RunFigures::validation(const Json& validation) {
  const double score = number(validation, "score");
  best_ = std::max(best_, score);
  score_.set(score);
  best_score_.set(best_);
  eval_time_.set(number(validation, "seconds"));
  eval_stamp_.set(clock_.unix_seconds());
  judged_step_ = field_or(validation, "step", std::int64_t{0});
  eval_step_.set(static_cast<double>(judged_step_));
  set_table(metric::kEvalDice, validation.value("table", Json::object()));
  set_table(metric::kEvalHd95, validation.value("hd95", Json::object()));
}

// {subset: {region: value}}
void RunFigures::set_table(const Metric& metric, const Json& table) {
  for (const auto& [subset, regions] : table.items()) {
    for (const auto& [region, value] : regions.items()) {
      metrics_.gauge(metric, {region, subset}).set(number(regions, region.c_str()));
    }
  }
}

void RunFigures::event(const Json& event) {
  const std::string kind = field_or<std::string>(event, "event", "");
  const auto step = field_or(event, "step", std::int64_t{0});
  if (kind == "start" || kind == "resume") {
    restart_count_.raise_to(std::max(0.0, ++restarts_));
    judged_step_ = step;
  }
  if (kind == "resume") saved_step_.set(static_cast<double>(step));
  if (kind == "nonfinite") nonfinite_.add();
  if (kind == "checkpoint_failed") save_failures_.add();
  if (kind == "checkpoint") {
    saved_.set(clock_.unix_seconds());
    saved_step_.set(static_cast<double>(step));
    save_time_.observe(field_or(event, "seconds", 0.0));
  }
}

void RunFigures::sample(std::int64_t step) {
  if (step > 0) {  // 0: the trainer has not begun, or resumes
    step_.set(static_cast<double>(step));
    staleness_.set(static_cast<double>(std::max<std::int64_t>(0, step - judged_step_)));
  }
  struct statvfs disk {};
  if (::statvfs(directory_.c_str(), &disk) != 0) return;
  const auto block = static_cast<double>(disk.f_frsize);
  disk_free_.set(block * static_cast<double>(disk.f_bavail));
  disk_size_.set(block * static_cast<double>(disk.f_blocks));
}

}  // namespace lacuna::coordinator
