// The communicator that suits the ranks and their GPUs.
#pragma once

#include <memory>
#include <string>

#include "comm/communicator.h"

namespace lacuna::comm {

inline constexpr Seconds kMeetingTime{120};

struct ChosenCommunicator {
  std::unique_ptr<Communicator> ranks;
  std::string why;  // "nccl: not used, ranks 0 and 1 share GPU-... on n1"
};

// Collective over `host` (MPI or one rank), which it takes over. gpu: the CUDA device of this
// rank, -1 for none. wanted: "auto", "mpi", "nccl". Throws ConfigError, Error or PeerLost. Ranks
// reach this point together up to the time that loading the program takes: `deadline` is for that.
ChosenCommunicator choose_communicator(std::unique_ptr<Communicator> host,
                                       const std::string& wanted, int gpu,
                                       const std::string& run_name,
                                       Seconds deadline = kMeetingTime);

// Collective: the CUDA device that this rank should take, ranks of one machine in turn; -1 without
// a usable GPU.
int suggest_gpu(Communicator& host, Seconds deadline = kMeetingTime);

}  // namespace lacuna::comm
