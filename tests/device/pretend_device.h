// A pretend accelerator: torch's PrivateUse1 device on a CPU, for tests of what host and device do
// with one another. It computes what the CPU computes; what it adds is what a GPU would not
// forgive.
//
// Its memory is one file in RAM that is mapped twice. Tensors hold addresses of the first mapping,
// which nobody may read or write: host code that does ends in SIGSEGV at an address that owns()
// knows. Kernels are torch's CPU operators on twins of their arguments, at the same offset of the
// second mapping.
//
// As CUDA does, it refuses tensors on two devices and generators of the host, casts under autocast
// by CUDA's lists, has generators of its own, and pinned host memory. A host buffer that changes
// while an asynchronous copy from it may be under way is an error at the next wait. New memory
// holds NaN (its first 4 KiB). Not imitated: asynchrony, streams, graphs, rounding, speed.
//
// One device per process, which stays until the process ends. Thread-safe but for counts(), reset()
// and check_in_flight(), which want the other threads at rest.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <c10/core/Device.h>

namespace lacuna::pretend {

inline const c10::Device kDevice{c10::DeviceType::PrivateUse1, 0};

// Since the last reset(). A GPU that runs the same operators does at least as much.
struct Counts {
  std::int64_t launches = 0;  // operators that are a kernel or more; copies within the device too
  std::int64_t waits = 0;     // of the host for the device
  std::int64_t pageable = 0;  // copies from or to host memory that is not pinned
  std::int64_t to_device = 0, to_host = 0;  // copies
  std::int64_t to_device_bytes = 0, to_host_bytes = 0;
  std::int64_t relayouts = 0;  // copies within that change strides and not the type, also those
                               // that a convolution makes of operands in two layouts
  std::int64_t casts = 0;      // copies within that change the type
  std::int64_t bytes_now = 0, bytes_peak = 0;
  std::map<std::string, std::int64_t> waits_by_reason, by_operator;
};

// Registers the device with torch. Once per process, before its first use; again does nothing.
void start();

const Counts& counts();
void reset();  // bytes_now stays, bytes_peak starts there

// The names of the operators that have been launched since reset(), in order: what a CUDA graph
// would hold. Off until record(true).
void record(bool on);
const std::vector<std::string>& recorded();

// Throws c10::Error where the source of an asynchronous copy has changed since it was asked for.
void check_in_flight();

bool owns(const void* address);
// The host's view of an address of the device, for what stands for hardware: copy engines of a
// queue.
void* host_view(const void* address);

}  // namespace lacuna::pretend
