#include "worker/validation/validation_rank.h"

#include <chrono>
#include <thread>
#include <utility>

#include "base/text/log.h"
#include "worker/run/run_position.h"
#include "worker/state/tensor_pack.h"
#include "worker/validation/fixed_text.h"
#include "worker/validation/validation.h"
#include "worker/validation/validation_link.h"

namespace lacuna::worker {
namespace {

constexpr std::chrono::milliseconds kNap{1};

}  // namespace

ValidationRank::ValidationRank(const RunConfig& config, const data::Cohort& cohort,
                               const RunPlan& plan, const std::vector<int>& validation_cases,
                               methods::Method& method, TrainingState& state, MetaWorker& worker,
                               RankGroup& ranks, std::function<bool()> stop_requested)
    : config_(config),
      cohort_(cohort),
      plan_(plan),
      cases_(validation_cases),
      files_(cohort),
      method_(method),
      state_(state),
      worker_(worker),
      ranks_(ranks),
      stop_requested_(std::move(stop_requested)),
      header_(kHeaderBytes) {}

TrainingResult ValidationRank::run() {
  method_.module().train();
  await_header();
  for (;;) {
    const Json job = next_header();
    const std::string kind = job.at("kind");
    if (kind == "end") {
      raise_alarm(false);
      ranks_.wait(*alarm_, "the farewell to rank 0", 1, 0);
      ranks_.enter(job.at("step"), Activity::kFinished);
      return {static_cast<ExitCode>(job.at("code").get<int>()), job.at("step"),
              job.at("score").get<double>(),
              /*writes=*/false};
    }
    if (kind == "meta") run_meta_phase(job);
    if (kind == "validate") run_validation();
    if (kind == "idle" || kind == "cancel") await_header();
  }
}

// The next header is awaited from the moment the last message is complete, so that its arrival is
// seen during a job.
void ValidationRank::await_header() {
  awaited_ = ranks_.start_broadcast(ranks_.courier(), header_, 0);
}

bool ValidationRank::header_is_there() {
  if (stop_requested_ && stop_requested_()) raise_alarm(true);
  for (auto& each : awaited_) {
    if (!each->poll()) return false;
  }
  return true;
}

Json ValidationRank::next_header() {
  ranks_.enter(step_, Activity::kIdle);
  const auto start = std::chrono::steady_clock::now();
  while (!header_is_there() &&
         std::chrono::steady_clock::now() - start < ranks_.limit_of(kPatience)) {
    std::this_thread::sleep_for(kNap);
  }
  for (auto& each : awaited_) ranks_.wait(*each, "the next job from rank 0", 1, 0);
  awaited_.clear();
  Json job = read_fixed(header_);
  step_ = job.value("step", step_);
  return job;
}

TensorPack ValidationRank::receive(const NamedTensors& live) {
  const TensorPack pack(live);
  ranks_.broadcast(ranks_.courier(), pack.bytes(), 0, "the weights from rank 0");
  pack.put(live);
  await_header();
  return pack;
}

void ValidationRank::send(comm::Communicator& channel, const Json& answer,
                          const NamedTensors& tensors) {
  std::vector<std::byte> text(kAnswerBytes);
  write_fixed(answer, text);
  TensorPack pack(tensors);
  pack.take(tensors);
  ranks_.broadcast(channel, text, ranks_.rank(), "the answer to the trainers", kPatience);
  ranks_.broadcast(channel, pack.bytes(), ranks_.rank(), "the answer to the trainers", kPatience);
}

// What begin_stage() does to weights does not matter, the job brings them; what the method notes
// about the stage does.
void ValidationRank::enter_stage(int stage) {
  while (stage_ < stage) {
    const methods::Stage& next = plan_.stages()[static_cast<std::size_t>(++stage_)];
    if (next.steps == 0) continue;
    state_.enter_stage(next, /*fresh=*/false);
    method_.begin_stage(stage_);
  }
}

// From the moment it has the job it works: "idle" until the first case is done would look like a
// deadlock to the watch, with everybody else waiting for this rank.
void ValidationRank::run_meta_phase(const Json& job) {
  ranks_.enter(step_, Activity::kMeta);
  const int stage = job.at("stage");
  enter_stage(stage);
  const methods::Phase& phase = plan_.phase(stage, job.at("phase"));
  receive(state_.inputs_of(phase));
  const PhaseOutcome outcome =
      worker_.run(phase, run_position(plan_, config_, cohort_, job.at("step")));
  send(ranks_.all(), outcome.to_json(), state_.changed_by(phase));
}

void ValidationRank::run_validation() {
  ranks_.enter(step_, Activity::kValidating);
  const TensorPack weights = receive(state_.model());
  const auto score = validate(method_, cohort_, cases_, files_, validation_options(config_), ranks_,
                              /*shared=*/false, [&] { return validation_goes_on(weights); });
  send(ranks_.scores(),
       score ? Json{{"score", score->score}, {"detail", score->detail}} : Json{{"cancelled", true}},
       {});
}

bool ValidationRank::validation_goes_on(const TensorPack& weights) {
  while (header_is_there()) {
    const std::string kind = read_fixed(header_).at("kind");
    if (kind == "validate" || kind == "end") break;  // its turn comes after this one
    const Json job = next_header();
    if (kind == "meta") {
      const at::AutoGradMode gradients(true);
      method_.module().train();
      run_meta_phase(job);
      weights.put(state_.model());
      method_.module().eval();
      method_.invalidate_evaluation_cache();
    } else {
      await_header();
      if (kind == "cancel") return false;
    }
  }
  ranks_.enter(step_, Activity::kValidating);
  return true;
}

void ValidationRank::raise_alarm(bool stop) {
  if (alarm_) return;
  if (stop) log::info("asked to stop: telling rank 0");
  alarm_byte_ = stop ? std::byte{1} : std::byte{0};
  alarm_ = ranks_.alarm().broadcast(std::span(&alarm_byte_, 1), kValidationOnCourier);
}

}  // namespace lacuna::worker
