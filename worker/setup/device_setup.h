// Where and how a run computes: device, memory layout, threads, determinism.
#pragma once

#include <cstdint>

#include <ATen/ATen.h>

#include "methods/method.h"
#include "worker/run/run_config.h"

namespace lacuna::worker {

struct Placement {
  at::Device device = at::kCPU;
  at::MemoryFormat layout = at::MemoryFormat::Contiguous;
};

// Sets threads, denormals and the kernel mode of this process, and decides device (`gpu` among CUDA
// devices) and layout.
// Throws ConfigError when the device is not there.
Placement set_up_device(const RunConfig& config, int gpu = 0);

// Moves the method's tensors; 5-D ones take the layout.
void place(methods::Method& method, const Placement& placement);

// Seeds torch's generators for a step (-1: before training) from (seed, step, rank), so that no
// generator state has to be saved. phase > 0: of a phase on the meta set, whichever rank runs it.
void seed_generators(std::uint64_t seed, std::int64_t step, int rank, int phase = 0);

// The most memory that this process has held so far, in bytes (host).
std::int64_t peak_memory_bytes();

}  // namespace lacuna::worker
