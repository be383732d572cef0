#include <array>
#include <utility>

#include "slurm/scheduler.h"

namespace lacuna::slurm {
namespace {

struct Advice {
  const char* reason;  // how SLURM's word begins
  bool stuck;
  const char* text;
};

constexpr std::array<Advice, 14> kAdvice{{
    {"DependencyNeverSatisfied", true,
     "what it waits for has failed or is gone, so it never starts: cancel it, and retry"},
    {"JobHeldAdmin", true,
     "an administrator, or too many requeues, holds it: ask, or cancel and retry"},
    {"JobHeldUser", true, "held: scontrol release lets it go"},
    {"launch failed requeued held", true,
     "its node could not start it, and SLURM holds it: scontrol release lets it go"},
    {"BadConstraints", true, "no node has what it asks for: change `resources`"},
    {"PartitionNodeLimit", true, "more nodes than the partition gives: change `resources`"},
    {"PartitionTimeLimit", true, "longer than the partition allows: change resources.time"},
    {"PartitionDown", true, "the partition is down: wait for the administrators"},
    {"PartitionInactive", true, "the partition is inactive: wait for the administrators"},
    {"InvalidAccount", true, "the account is not yours: change resources.account"},
    {"InvalidQOS", true, "the quality of service is not yours: change `resources`"},
    {"ReqNodeNotAvail", false, "nodes that it needs are down or reserved"},
    {"Dependency", false, "waits for the runs that it needs"},
    {"JobArrayTaskLimit", false, "waits for its turn (throttle)"},
}};

const Advice* find_advice(const TaskState& state) {
  for (const Advice& each : kAdvice) {
    if (!has_ended(state.status) && state.status != TaskStatus::kRunning &&
        state.reason.starts_with(each.reason)) {
      return &each;
    }
  }
  return nullptr;
}

}  // namespace

const char* status_name(TaskStatus status) {
  switch (status) {
    case TaskStatus::kPending:
      return "pending";
    case TaskStatus::kRunning:
      return "running";
    case TaskStatus::kRequeued:
      return "requeued";
    case TaskStatus::kDone:
      return "done";
    case TaskStatus::kFailed:
      return "failed";
    case TaskStatus::kCancelled:
      return "cancelled";
    case TaskStatus::kTimeout:
      return "timeout";
    case TaskStatus::kNodeFail:
      return "node-fail";
  }
  return "?";
}

bool has_ended(TaskStatus status) {
  return status != TaskStatus::kPending && status != TaskStatus::kRunning &&
         status != TaskStatus::kRequeued;
}

std::string advice(const TaskState& state) {
  const Advice* found = find_advice(state);
  return found != nullptr ? found->text : "";
}

bool is_stuck(const TaskState& state) {
  const Advice* found = find_advice(state);
  return found != nullptr && found->stuck;
}

}  // namespace lacuna::slurm
