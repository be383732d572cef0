// Work over several ranks other than training: the same command line starts the ranks and is what
// they run.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "comm/communicator.h"

namespace lacuna::app {

// Under a launcher, or for one rank: runs `work` with the ranks and returns its exit code. Else
// starts `lacuna ARGUMENTS` on `ranks` ranks in the place of this process. A work that throws
// Error ends its rank at once, since another may be waiting for it.
ExitCode run_on_ranks(int ranks, const std::vector<std::string>& arguments,
                      const std::function<ExitCode(std::unique_ptr<comm::Communicator>)>& work);

// The words behind the program's name on this process's command line.
std::vector<std::string> own_arguments();

}  // namespace lacuna::app
