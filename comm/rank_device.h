// Which GPU each rank computes on, known to all ranks: who shares one, who has none, and which
// ranks are on one machine.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.h"

namespace lacuna::comm {

struct RankDevice {
  std::string host;  // name of the machine; equal on ranks of one machine only
  std::string gpu;   // the device's own identity; empty: this rank computes on the processor
};

// The machine's name, told apart from others of the same name by its boot.
std::string this_host();

// Collective: what every rank says, in rank order. Throws PeerLost.
std::vector<RankDevice> gather_devices(Communicator& ranks, const RankDevice& mine,
                                       Seconds deadline);

// Position among the ranks of the same machine, from 0: ranks take the machine's GPUs in turn.
int local_rank(const std::vector<RankDevice>& all, int rank);

// "ranks 1 and 3 share GPU-... on n2"; empty when every GPU has one rank.
std::string shared_gpus(const std::vector<RankDevice>& all);

enum class Backend { kHost, kStaged, kNccl };
struct BackendChoice {
  Backend backend = Backend::kHost;
  std::string why;
};

// wanted: "auto", "mpi", "nccl". Throws ConfigError when it cannot be had.
BackendChoice choose_backend(const std::string& wanted, const std::vector<RankDevice>& all);

}  // namespace lacuna::comm
