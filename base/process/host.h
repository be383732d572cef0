// The name of this machine.
#pragma once

#include <string>

namespace lacuna {

std::string host_name();  // as the kernel knows it; "unknown" when it does not

}  // namespace lacuna
