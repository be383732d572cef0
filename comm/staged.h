// GPU ranks over host memory: for ranks that share a GPU, or where NCCL is not wanted.
//
// A sum on the device is copied to page-locked memory, summed by the host communicator, and copied
// back. Sums are started on the host in the order in which they were asked for, on a part of the
// host communicator of their own, so that they never change places with other operations.
#pragma once

#include <memory>

#include "comm/communicator.h"
#include "comm/device_queue.h"

namespace lacuna::comm {

// Collective over `host`, which it takes over.
std::unique_ptr<Communicator> make_staged(std::unique_ptr<Communicator> host,
                                          std::unique_ptr<DeviceQueue> queue);

}  // namespace lacuna::comm
