// A text from every rank, on every rank.
#pragma once

#include <string>
#include <vector>

#include "comm/communicator.h"

namespace lacuna::comm {

// Of any length, in rank order. `all` is left as it was when the result is not ok.
CommResult gather_texts(Communicator& ranks, const std::string& mine, std::vector<std::string>& all,
                        Seconds deadline);

}  // namespace lacuna::comm
