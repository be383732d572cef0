// Long enough for any collective of a test on a busy machine.
#pragma once

#include "comm/communicator.h"

namespace lacuna::comm {

inline constexpr Seconds kDeadline{20};

}  // namespace lacuna::comm
