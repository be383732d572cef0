// lacuna bench overlap: what summing gradients over ranks adds to a training step, beside the time
// that the sums take by themselves.
#include <algorithm>
#include <cstdio>
#include <memory>

#include <fmt/core.h>
#include <torch/utils.h>

#include "app/bench/random_batch.h"
#include "app/shared/command.h"
#include "app/shared/run_on_ranks.h"
#include "base/error.h"
#include "base/process/clock.h"
#include "comm/choose.h"
#include "comm/gradient_reducer.h"
#include "methods/registry.h"
#include "worker/state/training_state.h"

namespace lacuna::app {
namespace {

struct OverlapOptions {
  int ranks = 2;
  std::string method = "mckd";
  BenchOptions step{.threads = 1, .patch = {32, 32, 32}};
  bool json = false;
};

std::vector<std::string> arguments_of(const OverlapOptions& options) {
  const BenchOptions& step = options.step;
  std::vector<std::string> words = {
      "bench",     "overlap",
      "--method",  options.method,
      "--width",   std::to_string(step.width),
      "--patch",   fmt::format("{},{},{}", step.patch[0], step.patch[1], step.patch[2]),
      "--threads", std::to_string(step.threads),
      "--repeats", std::to_string(step.repeats)};
  if (options.json) words.push_back("--json");
  return words;
}

void require(const comm::CommResult& result) {
  if (!result.ok()) throw Error(result.text, ExitCode::kPeerLost);
}

// The forward and backward passes of a method's last stage, on noise.
class ReducedStep {
 public:
  explicit ReducedStep(const OverlapOptions& options, const worker::Placement& placement)
      : modalities_{{"FLAIR", "T1", "T1c", "T2"}},
        method_(
            methods::make_method(options.method, modalities_, options.step.width, Json::object())) {
    torch::manual_seed(1);
    method_->initialise();
    worker::place(*method_, placement);
    batch_ = random_batch(modalities_, options.step, placement);
    progress_.steps = 1000;
    const std::vector<methods::Stage> stages = method_->stages(progress_.steps);
    progress_.stage = static_cast<int>(stages.size()) - 1;
    phase_ = stages.back().phases.front();
    state_ = std::make_unique<worker::TrainingState>(*method_, /*ema_decay=*/0);
    state_->enter_stage(stages.back(), /*fresh=*/true);
    state_->enter_phase(phase_);
  }

  worker::NamedTensors trained() const { return state_->trained_by(phase_); }
  void run() { method_->loss(phase_.name, batch_, progress_).total.backward(); }
  void clear() { state_->clear_gradients(); }

 private:
  data::ModalitySet modalities_;
  std::unique_ptr<methods::Method> method_;
  methods::Batch batch_;
  methods::Progress progress_;
  methods::Phase phase_;
  std::unique_ptr<worker::TrainingState> state_;
};

// Median of `work` over the repeats, in turn on all ranks at once; the slowest rank's.
class Measured {
 public:
  explicit Measured(comm::Communicator& ranks) : ranks_(ranks) {}
  void once(bool counts, const std::function<void()>& work) {
    require(ranks_.barrier(kDeadline));
    const double start = steady_clock().seconds();
    work();
    if (counts) seconds_.push_back(steady_clock().seconds() - start);
  }
  double seconds() {
    std::sort(seconds_.begin(), seconds_.end());
    std::int64_t slowest[] = {static_cast<std::int64_t>(1e9 * seconds_[seconds_.size() / 2])};
    require(ranks_.maximum(slowest)->wait(kDeadline));
    return 1e-9 * static_cast<double>(slowest[0]);
  }
  static constexpr comm::Seconds kDeadline{300};

 private:
  comm::Communicator& ranks_;
  std::vector<double> seconds_;
};

void report(const Json& figures, const OverlapOptions& options) {
  if (options.json) return fmt::print("{}\n", figures.dump(2));
  const auto ms = [&](const char* key) { return 1e3 * figures[key].get<double>(); };
  fmt::print("{} ranks over {}, {} width {}, {:.1f} MB of gradients, {}\n",
             figures["ranks"].get<int>(), figures["communicator"].get<std::string>(),
             options.method, options.step.width, 1e-6 * figures["bytes"].get<double>(),
             figures["machine"]["cpu"].get<std::string>());
  fmt::print("forward and backward alone {:>10.2f} ms\n", ms("compute_seconds"));
  fmt::print("the sums alone             {:>10.2f} ms\n", ms("sums_seconds"));
  fmt::print("both, overlapped           {:>10.2f} ms\n", ms("together_seconds"));
  fmt::print("added to the step          {:>10.1f} %, beyond the sums' own time {:.1f} %\n",
             100 * figures["added"].get<double>(), 100 * figures["added_beyond"].get<double>());
}

ExitCode measure_overlap(std::unique_ptr<comm::Communicator> host, const OverlapOptions& options) {
  worker::RunConfig config;
  config.method = options.method;
  config.threads = bench_threads(options.step);
  const worker::Placement placement = worker::set_up_device(config);
  const int gpu = placement.device.is_cuda() ? placement.device.index() : -1;
  const comm::ChosenCommunicator chosen =
      comm::choose_communicator(std::move(host), "auto", gpu, "overlap");
  comm::Communicator& ranks = *chosen.ranks;
  ReducedStep step(options, placement);
  comm::GradientReducer reducer(ranks, step.trained(), {});

  // In turn, so that a busy machine slows all three alike.
  Measured compute(ranks), sums(ranks), together(ranks);
  for (int i = 0; i < options.step.repeats + options.step.warm_up; ++i) {
    const bool counts = i >= options.step.warm_up;
    step.clear();
    compute.once(counts, [&] { step.run(); });
    sums.once(counts, [&] {
      reducer.begin();
      require(reducer.finish());
    });
    together.once(counts, [&] {
      reducer.begin();
      step.run();
      require(reducer.finish());
    });
  }
  const double a = compute.seconds(), b = sums.seconds(), c = together.seconds();
  const Json figures = {{"bench", "overlap"},
                        {"machine", machine()},
                        {"ranks", ranks.size()},
                        {"communicator", ranks.name()},
                        {"method", options.method},
                        {"width", options.step.width},
                        {"patch", options.step.patch},
                        {"bytes", reducer.bytes_per_step()},
                        {"compute_seconds", a},
                        {"sums_seconds", b},
                        {"together_seconds", c},
                        {"added", (c - a) / a},
                        {"added_beyond", (c - a - b) / a}};
  if (ranks.rank() == 0) report(figures, options);
  return ExitCode::kDone;
}

}  // namespace

void add_overlap_bench(CLI::App& bench, ExitCode& code) {
  auto* command = bench.add_subcommand("overlap", "What summing gradients adds to a training step");
  const auto options = std::make_shared<OverlapOptions>();
  command->add_option("--ranks", options->ranks, "Starts so many; under mpirun or srun: not needed")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--method", options->method, "Method whose step it is")
      ->capture_default_str();
  command->add_option("--width", options->step.width, "Channel factor")->capture_default_str();
  command->add_option("--patch", options->step.patch, "D,H,W in voxels")
      ->delimiter(',')
      ->capture_default_str();
  command->add_option("--threads", options->step.threads, "Per rank")->capture_default_str();
  command->add_option("--repeats", options->step.repeats, "Measured steps; the median counts")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_flag("--json", options->json, "JSON instead of a table");
  command->footer("Example: lacuna bench overlap --ranks 2 --method mckd --width 0.25");
  command->callback([options, &code] {
    code = run_on_ranks(options->ranks, arguments_of(*options),
                        [&](auto host) { return measure_overlap(std::move(host), *options); });
  });
}

}  // namespace lacuna::app
