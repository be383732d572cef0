#include "worker/validation/meta_phases.h"

#include <algorithm>

#include "worker/run/run_position.h"
#include "worker/validation/fixed_text.h"

namespace lacuna::worker {

MetaPhases::MetaPhases(const RunConfig& config, const data::Cohort& cohort, const RunPlan& plan,
                       RankGroup& ranks, MetaWorker& worker, TrainingState& state,
                       ValidationLink* link)
    : config_(config),
      cohort_(cohort),
      plan_(plan),
      ranks_(ranks),
      worker_(worker),
      state_(state),
      link_(link) {
  if (!config.meta_async) return;
  for (const auto& stage : plan.stages()) {
    for (const auto& phase : stage.phases) {
      if (phase.on_meta_set) check(stage, phase);
    }
  }
}

void MetaPhases::check(const methods::Stage& stage, const methods::Phase& phase) const {
  if (config_.meta_lag > phase.period) {
    throw_error<ConfigError>(
        "meta.lag is {}, but phase {} of stage {} runs every {} steps: its result must take effect "
        "before it runs again. Set meta.lag to at most {}, or meta.mode to sync.",
        config_.meta_lag, phase.name, stage.name, phase.period, phase.period);
  }
  for (const auto& other : stage.phases) {
    if (other.name == phase.name) continue;
    for (const auto& mine : phase.trains) {
      for (const auto& theirs : other.trains) {
        if (mine.group != theirs.group) continue;
        throw_error<ConfigError>(
            "phases {} and {} of stage {} both train group {}: a result that takes effect later "
            "would undo the steps in between. Set meta.mode to sync.",
            phase.name, other.name, stage.name, mine.group);
      }
    }
  }
}

MetaPhases::Pending MetaPhases::prepare(const methods::Phase& phase, std::int64_t step) const {
  const std::int64_t end = plan_.end_of(plan_.stage_at(step));
  Pending pending{&phase, step, step + config_.meta_lag, false, {}, {}, nullptr, {}};
  if (pending.due >= end) {
    pending.due = end - 1;
    pending.after_phases = true;
  }
  if (ranks_.writes()) pending.weights = TensorPack(state_.inputs_of(phase));
  pending.result = TensorPack(state_.changed_by(phase));
  return pending;
}

std::optional<PhaseOutcome> MetaPhases::run(const methods::Phase& phase,
                                            const methods::Progress& at) {
  // One process, or rank 0 for the others, trains the phase in place.
  if (!config_.meta_async && !link_ && ranks_.trainers() == 1) return worker_.run(phase, at);
  Pending pending = prepare(phase, at.step);
  if (ranks_.writes()) pending.weights.take(state_.inputs_of(phase));
  start(pending);
  if (!config_.meta_async) return apply(pending);
  pending_.push_back(std::move(pending));
  return std::nullopt;
}

void MetaPhases::start(Pending& pending) {
  if (!link_) {
    compute_here(pending);
    return;
  }
  pending.answer = link_->submit_meta({{"kind", "meta"},
                                       {"stage", plan_.stage_at(pending.step)},
                                       {"phase", pending.phase->name},
                                       {"step", pending.step}},
                                      pending.weights, pending.result);
}

// On rank 0, for all trainers; the present weights come back afterwards.
void MetaPhases::compute_here(Pending& pending) {
  std::vector<std::byte> text(kAnswerBytes);
  if (ranks_.writes()) {
    const NamedTensors inputs = state_.inputs_of(*pending.phase);
    TensorPack present(inputs);
    present.take(inputs);
    pending.weights.put(inputs);
    pending.outcome =
        worker_.run(*pending.phase, run_position(plan_, config_, cohort_, pending.step));
    pending.result.take(state_.changed_by(*pending.phase));
    present.put(inputs);
    write_fixed(pending.outcome.to_json(), text);
  }
  if (ranks_.trainers() == 1) return;
  const char* doing = "the result of a meta phase";
  ranks_.broadcast(ranks_.trainer_ranks(), text, 0, doing, kPatience);
  ranks_.broadcast(ranks_.trainer_ranks(), pending.result.bytes(), 0, doing, kPatience);
  pending.outcome = PhaseOutcome::from_json(read_fixed(text));
}

PhaseOutcome MetaPhases::apply(Pending& pending) {
  if (pending.answer) {
    pending.outcome = PhaseOutcome::from_json(pending.answer->wait("the result of a meta phase"));
  }
  pending.result.put(state_.changed_by(*pending.phase));
  return pending.outcome;
}

template <typename IsDue>
MetaPhases::Applied MetaPhases::apply_if(const IsDue& is_due) {
  Applied applied;
  for (Pending& pending : pending_) {
    if (is_due(pending)) applied.emplace_back(pending.phase, apply(pending));
  }
  std::erase_if(pending_, is_due);
  return applied;
}

MetaPhases::Applied MetaPhases::before_step(std::int64_t step) {
  return apply_if([step](const Pending& each) { return !each.after_phases && each.due == step; });
}

MetaPhases::Applied MetaPhases::after_phases(std::int64_t step) {
  return apply_if([step](const Pending& each) { return each.after_phases && each.due == step; });
}

NamedTensors MetaPhases::pending_tensors() const {
  NamedTensors tensors;
  for (const Pending& each : pending_) {
    for (const auto& [name, tensor] : each.weights.tensors()) {
      tensors.emplace_back(each.phase->name + "|" + name, tensor);
    }
  }
  return tensors;
}

Json MetaPhases::pending() const {
  Json list = Json::array();
  for (const Pending& each : pending_) {
    list.push_back({{"phase", each.phase->name}, {"step", each.step}});
  }
  return list;
}

void MetaPhases::restore(const Json& list, const Path& file) {
  for (const Json& each : list) {
    const std::int64_t step = each.at("step");
    const auto& phase = plan_.phase(plan_.stage_at(step), each.at("phase"));
    pending_.push_back(prepare(phase, step));
  }
  if (pending_.empty()) return;
  if (ranks_.writes()) load_into(pending_tensors(), file);
  for (Pending& each : pending_) start(each);
}

void MetaPhases::drain() {
  for (Pending& each : pending_) {
    if (each.answer) each.answer->wait("the result of a meta phase");
  }
}

}  // namespace lacuna::worker
