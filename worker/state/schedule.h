// The factor on a group's learning rate at a step of a stage. Pure function.
//
// Position i = first + step, held for `granularity` steps or an epoch, at the start of them unless
// hold_end. During warm-up the factor is i / warmup;
// afterwards the curve runs over the positions that remain, (i - warmup) of (horizon - warmup), and
// stays at its end value past the horizon. With a restart period the cosine starts anew each
// period.
#pragma once

#include <cstdint>

#include "methods/method.h"

namespace lacuna::worker {

double schedule_factor(const methods::ScheduleSpec& schedule, std::int64_t stage_step,
                       std::int64_t steps_per_epoch = 1);

}  // namespace lacuna::worker
