// The communicator of one rank: everything is done when it starts. The same path as many ranks,
// without MPI or a GPU.
#pragma once

#include <memory>

#include "comm/communicator.h"

namespace lacuna::comm {

std::unique_ptr<Communicator> make_solo();

}  // namespace lacuna::comm
