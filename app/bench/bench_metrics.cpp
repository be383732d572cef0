#include "app/bench/bench_metrics.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <numeric>

#include <sched.h>
#include <torch/utils.h>

#include "app/bench/random_batch.h"
#include "app/bench/scrape_load.h"
#include "base/files/temporary_directory.h"
#include "base/metrics/metrics_json.h"
#include "base/metrics/process_figures.h"
#include "base/process/clock.h"
#include "coordinator/status/run_figures.h"
#include "methods/registry.h"
#include "monitoring/metrics/metrics_endpoint.h"
#include "worker/setup/device_setup.h"
#include "worker/state/training_state.h"
#include "worker/step/phase_step.h"
#include "worker/step/step_figures.h"

namespace lacuna::app {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr int kScrapers = 4;
constexpr double kScrapesPerSecond = 1000;
constexpr double kBlockSeconds = 2;  // of training between changes of the load

// Who runs where: what asks for figures has a core of its own, as another machine has, and training
// shares the others with the server, as on a node whose cores are all in use.
struct Cores {
  cpu_set_t asking, training;
};

Cores divide_cores() {
  Cores cores{};
  ::sched_getaffinity(0, sizeof cores.training, &cores.training);
  cores.asking = cores.training;
  if (CPU_COUNT(&cores.training) < 2) return cores;
  std::size_t last = 0;
  for (std::size_t i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &cores.training)) last = i;
  }
  CPU_ZERO(&cores.asking);
  CPU_SET(last, &cores.asking);
  CPU_CLR(last, &cores.training);
  return cores;
}

// A training step of the first method that the bench is given, on a random batch.
class WatchedStep {
 public:
  WatchedStep(const BenchOptions& options, int threads) {
    worker::RunConfig config;
    config.method = options.methods.front();
    config.threads = threads;
    config.layout = options.layout;
    const worker::Placement placement = worker::set_up_device(config);
    method_ = methods::make_method(config.method, modalities(), options.width, Json::object());
    torch::manual_seed(1);
    method_->initialise();
    worker::place(*method_, placement);
    batch_ = random_batch(modalities(), options, placement);
    progress_.steps = 1000;
    stages_ = method_->stages(progress_.steps);
    progress_.stage = static_cast<int>(stages_.size()) - 1;
    state_ = std::make_unique<worker::TrainingState>(*method_, /*ema_decay=*/0);
    state_->enter_stage(stages_.back(), /*fresh=*/true);
  }
  static const data::ModalitySet& modalities() {
    static const data::ModalitySet set{{"FLAIR", "T1", "T1c", "T2"}};
    return set;
  }
  worker::PhaseOutcome run() {
    return worker::run_phase(*method_, *state_, stages_.back().phases.front(), batch_, progress_,
                             {});
  }
  const methods::Batch& batch() const { return batch_; }

 private:
  std::unique_ptr<methods::Method> method_;
  methods::Batch batch_;
  methods::Progress progress_;
  std::vector<methods::Stage> stages_;
  std::unique_ptr<worker::TrainingState> state_;
};

Json plan() {
  std::vector<std::string> subsets;
  for (const auto each : WatchedStep::modalities().subsets()) {
    subsets.push_back(WatchedStep::modalities().format(each));
  }
  return {{"steps", 1000},
          {"ranks", 2},
          {"groups", {"network"}},
          {"regions", {"ET", "TC", "WT"}},
          {"subsets", subsets}};
}

// A line of metrics as the trainer writes them.
Json line(const worker::PhaseOutcome& outcome) {
  Json losses = Json::object();
  for (const auto& [name, value] : outcome.parts) losses[name] = value;
  return {{"step", 10},
          {"loss", outcome.loss},
          {"losses", losses},
          {"learning_rates", outcome.learning_rates},
          {"gradient_norms", outcome.gradient_norms}};
}

// Median time of `work`, done `times` times per measurement so that a clock can see it.
double each_seconds(const BenchOptions& options, int times, const std::function<void()>& work) {
  return measure(options,
                 [&] {
                   for (int i = 0; i < times; ++i) work();
                 })
             .median_seconds /
         times;
}

Json cost(const char* name, double seconds, double step_seconds) {
  return {{"name", name}, {"seconds", seconds}, {"share_of_step", seconds / step_seconds}};
}

// Median step time in blocks without load, under scrapes, and with stuck scrapers, in turn, so that
// a machine that changes its pace slows all three alike.
class Load {
 public:
  Load(WatchedStep& step, ScrapeLoad& scrapers, int port)
      : step_(step), scrapers_(scrapers), port_(port) {}

  // Five rounds are 10 s under each load.
  Json entries(int rounds) {
    std::vector<double> quiet, scraped, stuck;
    for (int round = 0; round < rounds; ++round) {
      block(quiet);
      scrapers_.start(port_, kScrapesPerSecond);
      block(scraped);
      const ScrapeLoad::Scrapes count = scrapers_.stop();
      asked_ += count.asked;
      answered_ += count.answered;
      block(quiet);
      scrapers_.start(port_, 0);
      block(stuck);
      scrapers_.stop();
    }
    const double base = median(quiet);
    Json all = Json::array();
    const auto add = [&](const char* name, std::vector<double>& seconds) {
      all.push_back({{"name", name},
                     {"seconds", median(seconds)},
                     {"change", median(seconds) / base - 1},
                     {"steps", seconds.size()}});
    };
    add("step without load", quiet);
    add("step under 1000 scrapes/s", scraped);
    const double seconds = std::accumulate(scraped.begin(), scraped.end(), 0.0);
    all.back()["asked_per_second"] = static_cast<double>(asked_) / seconds;
    all.back()["answered_per_second"] = static_cast<double>(answered_) / seconds;
    add("step with 32 stuck scrapers", stuck);
    return all;
  }

 private:
  void block(std::vector<double>& seconds) {
    const auto start = std::chrono::steady_clock::now();
    auto before = start;
    while (Seconds(before - start).count() < kBlockSeconds) {
      step_.run();
      const auto now = std::chrono::steady_clock::now();
      seconds.push_back(Seconds(now - before).count());
      before = now;
    }
  }
  static double median(std::vector<double>& values) {
    const auto middle = values.begin() + std::ssize(values) / 2;
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  }

  WatchedStep& step_;
  ScrapeLoad& scrapers_;
  const int port_;
  long asked_ = 0, answered_ = 0;
};

}  // namespace

Json run_metrics(const BenchOptions& options) {
  const Cores cores = divide_cores();
  ScrapeLoad scrapers(kScrapers, cores.asking);  // before torch makes threads
  ::sched_setaffinity(0, sizeof cores.training, &cores.training);
  const int threads = std::min(bench_threads(options), CPU_COUNT(&cores.training));
  WatchedStep step(options, threads);
  const TemporaryDirectory directory;
  Metrics metrics;
  worker::StepFigures figures(&metrics, WatchedStep::modalities(), /*trains=*/true);
  ProcessFigures process(metrics, steady_clock());
  coordinator::RunFigures run(metrics, directory.path(), steady_clock());
  run.publish("plan", plan());

  const double step_seconds = measure(options, [&] { step.run(); }).median_seconds;
  const worker::PhaseOutcome outcome = step.run();
  const Json logged = line(outcome);
  Json entries = Json::array();
  entries.push_back({{"name", "training step"}, {"seconds", step_seconds}, {"threads", threads}});
  const auto add = [&](const char* name, double seconds) {
    entries.push_back(cost(name, seconds, step_seconds));
  };
  add("counting in a step", each_seconds(options, 10000, [&] {
        figures.drew(step.batch().subsets);
        figures.ran(outcome, /*on_meta_set=*/false);
        figures.end_step(options.batch, outcome.forward_backward_seconds, 0);
        figures.backlog(0);
      }));
  add("a logged line", each_seconds(options, 1000, [&] { run.publish("metrics", logged); }));
  add("telling a heartbeat", each_seconds(options, 100, [&] {
        process.sample();
        (void)to_json(metrics.samples()).dump();
      }));
  entries.back()["bytes"] = to_json(metrics.samples()).dump().size();

  monitoring::MetricsEndpoint endpoint({}, "127.0.0.1", "bench", "", [&] {
    return std::vector<coordinator::RankSamples>{{0, metrics.samples()}, {1, metrics.samples()}};
  });
  for (const Json& each : Load(step, scrapers, endpoint.port()).entries(options.repeats)) {
    entries.push_back(each);
  }
  return entries;
}

}  // namespace lacuna::app
