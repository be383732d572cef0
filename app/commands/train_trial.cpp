#include "app/commands/train_trial.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "base/text/log.h"
#include "base/text/progress.h"
#include "base/text/text_table.h"
#include "data/cache/cohort.h"
#include "worker/run/run_check.h"
#include "worker/trainer.h"

namespace lacuna::app {
namespace {

constexpr std::int64_t kDrySteps = 4;  // the first warms up
// The range ends where the smoothed loss is this many times the lowest.
constexpr double kDiverged = 4;
constexpr double kSmoothing = 0.9;

worker::RunConfig resolve_trial(const Trial& trial) {
  std::vector<std::string> settings = trial.settings;
  const worker::RunConfig whole = worker::resolve_run(trial.run, trial.file, settings);
  worker::check_cache_named(whole);
  data::open_cohort(whole.cache).part(whole.split, "train");
  const auto set = [&](const std::string& text) { settings.push_back(text); };
  for (const char* text : {"log.every=1", "validate.every=0", "monitor.enabled=false",
                           "monitor.tensorboard=false", "checkpoint.every_steps=0",
                           "checkpoint.every_seconds=0", "train.max_seconds=0", "data.stage="}) {
    set(text);
  }
  if (trial.ranks > 1) {
    set(fmt::format("train.batch={}", (whole.batch + trial.ranks - 1) / trial.ranks));
  }
  return worker::resolve_run(trial.run, trial.file, settings);
}

// The plan, and the metrics lines of the first `steps` steps.
struct Tried {
  Json plan;
  std::vector<Json> lines;
};

Tried try_steps(const worker::RunConfig& config, std::int64_t steps, bool stop_when_diverged,
                const std::function<double(std::int64_t)>& learning_rate) {
  const TemporaryDirectory scratch;
  Tried tried;
  double lowest = 0, smoothed = 0;
  bool diverged = false;
  worker::TrainingHooks hooks;
  hooks.progress = false;
  hooks.learning_rate = learning_rate;
  hooks.publish = [&](const std::string& kind, const Json& what) {
    if (kind == "plan") tried.plan = what;
    if (kind != "metrics") return;
    tried.lines.push_back(what);
    const double loss = what.at("loss").is_number() ? what.at("loss").get<double>() : NAN;
    smoothed = tried.lines.size() == 1 ? loss : kSmoothing * smoothed + (1 - kSmoothing) * loss;
    if (tried.lines.size() == 1 || smoothed < lowest) lowest = smoothed;
    diverged = stop_when_diverged && (!std::isfinite(loss) || smoothed > kDiverged * lowest);
  };
  hooks.stop_requested = [&] { return diverged || std::ssize(tried.lines) >= steps; };
  log::set_level(log::Level::kWarn);  // what a start and a stop say is not about this
  worker::train(config, scratch / "run", hooks);
  log::set_level(log::Level::kInfo);
  return tried;
}

std::string of_bytes(double bytes) { return fmt::format("{:.0f} MiB", bytes / (1 << 20)); }

}  // namespace

void dry_run(const Trial& trial) {
  const worker::RunConfig config = resolve_trial(trial);
  const data::Cohort cohort = data::open_cohort(config.cache);
  std::vector<std::string> parts;
  for (const auto& [name, ids] : cohort.splits.at(config.split)) {
    if (!ids.empty()) parts.push_back(fmt::format("{} {}", ids.size(), name));
  }
  const Tried tried = try_steps(config, std::min(kDrySteps, config.steps), false, {});
  std::vector<std::string> stages;
  for (const Json& stage : tried.plan.at("stages")) {
    stages.push_back(fmt::format("{} {}", stage.at("name").get<std::string>(),
                                 stage.at("steps").get<std::int64_t>()));
  }
  std::vector<double> seconds;
  for (const Json& line : tried.lines) seconds.push_back(line.at("seconds").at("step"));
  if (seconds.size() > 1) seconds.erase(seconds.begin());
  std::nth_element(seconds.begin(), seconds.begin() + std::ssize(seconds) / 2, seconds.end());
  const double step = seconds[seconds.size() / 2];
  const auto row = [](const char* name, const std::string& text) {
    fmt::print("{:<10} {}\n", name, text);
  };
  row("run", fmt::format("{} of {}, identity {}", config.method, trial.file,
                         worker::resolve_run(trial.run, trial.file, trial.settings).hash));
  row("cohort", fmt::format("{}, split {}: {} cases", config.cache.string(), config.split,
                            fmt::join(parts, ", ")));
  row("steps",
      fmt::format("{}: {}, {} samples each{}", config.steps, fmt::join(stages, ", "), config.batch,
                  trial.ranks > 1 ? fmt::format(" on each of {} ranks", trial.ranks) : ""));
  row("time",
      fmt::format("{:.2f} s per step ({} tried), about {} for all, without validations", step,
                  tried.lines.size(), format_duration(step * static_cast<double>(config.steps))));
  row("memory", fmt::format("{} so far", of_bytes(tried.lines.back().at("peak_memory_bytes"))));
  fmt::print("Nothing was written. To train: the same command without --dry-run\n");
}

void learning_rate_range(const Trial& trial, const std::string& range, std::int64_t steps) {
  double low = 0, high = 0;
  int read = 0;
  if (std::sscanf(range.c_str(), "%lf:%lf%n", &low, &high, &read) != 2 ||
      static_cast<std::size_t>(read) != range.size() || !(low > 0) || !(high > low)) {
    throw_error<ConfigError>("--lr-range {}: two rates, the lower one first, as in 1e-6:1", range);
  }
  if (steps < 10) throw_error<ConfigError>("--lr-range-steps {}: at least 10", steps);
  Trial whole = trial;
  whole.settings.push_back(fmt::format("train.steps={}", steps + 1));
  const worker::RunConfig config = resolve_trial(whole);
  const double growth = std::log(high / low) / static_cast<double>(steps - 1);
  const auto rate = [&](std::int64_t step) {
    return low * std::exp(growth * static_cast<double>(step));
  };
  const Tried tried = try_steps(config, steps, true, rate);
  fmt::print("step,learning_rate,loss,smoothed_loss\n");
  double average = 0, steepest = 0, suggested = 0;
  std::vector<double> smoothed;
  for (std::size_t i = 0; i < tried.lines.size(); ++i) {
    const Json& line = tried.lines[i];
    const double loss = line.at("loss").is_number() ? line.at("loss").get<double>() : NAN;
    // As Adam's moments: the average of few values is not pulled to zero.
    average = kSmoothing * average + (1 - kSmoothing) * loss;
    smoothed.push_back(average / (1 - std::pow(kSmoothing, static_cast<double>(i + 1))));
    fmt::print("{},{:.6g},{:.6g},{:.6g}\n", i + 1, rate(static_cast<std::int64_t>(i)), loss,
               smoothed.back());
    // Where the smoothed loss falls fastest, over five steps, once there are some.
    constexpr std::size_t kOver = 5;
    if (i < 2 * kOver || !std::isfinite(smoothed.back())) continue;
    const double fall = smoothed[i - kOver] - smoothed[i];
    if (fall > steepest) {
      steepest = fall;
      suggested = rate(static_cast<std::int64_t>(i - kOver));
    }
  }
  std::fflush(stdout);
  if (suggested > 0) {
    log::info("the loss falls fastest at about train.learning_rate={:.2g}", suggested);
  } else {
    log::warn("the loss fell nowhere between {} and {}: try a wider range or more steps", low,
              high);
  }
}

}  // namespace lacuna::app
