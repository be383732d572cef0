// Ranks over MPI, in host memory.
//
// MPI is started once per process by MpiSession and only in processes that a launcher started as
// ranks. Waits poll with short sleeps, so that a rank that waits leaves its core to the others and
// a peer that is dead or stopped ends the wait at its deadline instead of never.
#pragma once

#include <memory>
#include <string>

#include "comm/communicator.h"

namespace lacuna::comm {

// True when mpirun or srun started this process as a rank.
bool launched_as_rank();

// The library's own name and version, as in "Open MPI v4.1.4". Needs no session.
std::string mpi_version();

// MPI from construction to destruction. After a failed operation call abandon(): MPI_Finalize would
// wait for ever for a peer that is gone. Throws Error when MPI cannot start with the threading that
// is needed. One per process.
class MpiSession {
 public:
  MpiSession();
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  std::unique_ptr<Communicator> world();  // a duplicate of MPI_COMM_WORLD
  // Ends the process with `code`, at once and without MPI_Finalize. The launcher ends the others.
  [[noreturn]] static void abandon(int code);
};

}  // namespace lacuna::comm
