// Ranks over MPI, in host memory.
//
// MPI is started once per process by MpiSession and only in processes that a launcher started as
// ranks. Waits poll with short sleeps, so that a rank that waits leaves its core to the others and
// a peer that is dead or stopped ends the wait at its deadline instead of never.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "comm/communicator.h"

namespace lacuna::comm {

// True when mpirun or srun started this process as a rank.
bool launched_as_rank();

// The library's own name and version, as in "Open MPI v4.1.4". Needs no session.
std::string mpi_version();

// What ends the process with exit code 76 for the reason given, and does not return.
using LeaveProcess = std::function<void(const std::string& reason)>;
// The usual one: to standard error, without waiting for it, and _exit.
[[noreturn]] void leave_process_with_words(const std::string& reason,
                                           int code = static_cast<int>(ExitCode::kPeerLost));

struct MpiLimits {
  // From the start of this process's session until all ranks are there; the same for every call
  // that makes communicators, which all ranks must come to. Loading the program takes its time.
  Seconds start{300};
  Seconds end{60};  // for MPI_Finalize, where ranks wait for each other once more
};

// MPI from construction to destruction. After a failed operation call abandon(): MPI_Finalize would
// wait for ever for a peer that is gone. A start or an end that takes longer than its limit ends
// the process through `leave`, naming the ranks of this host that are stopped or missing: MPI waits
// there inside itself, for ever, and no exception gets out. Throws Error when MPI cannot start with
// the threading that is needed. One per process.
class MpiSession {
 public:
  explicit MpiSession(MpiLimits limits = {}, LeaveProcess leave = {});  // {}: in words
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  // A duplicate of MPI_COMM_WORLD. Throws PeerLost.
  std::unique_ptr<Communicator> world();
  // MPI_Finalize. For callers that must know before the process ends; no communicator may live.
  void end();
  // Ends the process with `code`, at once and without MPI_Finalize. The launcher ends the others.
  [[noreturn]] static void abandon(int code);

 private:
  const MpiLimits limits_;
  LeaveProcess leave_;
  bool ended_ = false;
};

}  // namespace lacuna::comm
