#include "worker/state/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lacuna::worker {

double schedule_factor(const methods::ScheduleSpec& schedule, std::int64_t stage_step,
                       std::int64_t steps_per_epoch) {
  using Kind = methods::ScheduleSpec::Kind;
  const std::int64_t held =
      std::max<std::int64_t>(schedule.per_epoch ? steps_per_epoch : schedule.granularity, 1);
  const std::int64_t position =
      ((schedule.first + stage_step) / held + (schedule.hold_end ? 1 : 0)) * held;
  if (position < schedule.warmup) {
    return static_cast<double>(position) / static_cast<double>(schedule.warmup);
  }
  if (schedule.kind == Kind::kConstant) return 1;

  const std::int64_t past_warmup = position - schedule.warmup;
  if (schedule.kind == Kind::kStep) {
    const std::int64_t every =
        schedule.every * (schedule.per_epoch ? std::max<std::int64_t>(steps_per_epoch, 1) : 1);
    return std::pow(schedule.factor, past_warmup / std::max<std::int64_t>(every, 1));
  }
  double done = 0;  // part of the curve behind us, 0..1
  if (schedule.restart_period > 0) {
    done = static_cast<double>(past_warmup % schedule.restart_period) /
           static_cast<double>(schedule.restart_period);
  } else {
    const std::int64_t length = std::max<std::int64_t>(schedule.horizon - schedule.warmup, 1);
    done = std::min(1.0, static_cast<double>(past_warmup) / static_cast<double>(length));
  }
  if (schedule.kind == Kind::kPoly) return std::pow(1 - done, schedule.power);
  return 0.5 * (1 + std::cos(std::numbers::pi * done));
}

}  // namespace lacuna::worker
