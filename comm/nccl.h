// Ranks over NCCL: one GPU per rank, sums in GPU memory.
//
// Everything in host memory (flags, lists, barriers) stays on the bootstrap communicator. NCCL is
// used without blocking: every wait polls the stream and NCCL's own error with a deadline, and a
// failed wait tells the last collectives. After a failure, abort(): NCCL tells nobody, so every
// rank has to find out by itself. Not thread-safe.
#pragma once

#include <memory>
#include <string>

#include "comm/communicator.h"
#include "comm/device_queue.h"
#include "comm/nccl_library.h"

namespace lacuna::comm {

struct NcclOptions {
  std::string name = "lacuna";   // in NCCL's own messages
  Seconds join_deadline{120};    // until all ranks have joined
  Seconds launch_deadline{300};  // until NCCL took a sum; the first one makes the connections
  Seconds end_deadline{10};      // for leaving, and for giving up
};

// Collective over `bootstrap`, which it takes over; the queue's device must be this rank's own.
// Throws Error on every rank, naming the ranks that could not join; PeerLost when some did not
// come.
std::unique_ptr<Communicator> make_nccl(std::unique_ptr<Communicator> bootstrap,
                                        std::unique_ptr<DeviceQueue> queue, NcclOptions options,
                                        NcclLibrary& library = nccl_library());

}  // namespace lacuna::comm
