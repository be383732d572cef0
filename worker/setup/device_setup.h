// Where and how a run computes: device, memory layout, threads, determinism.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>

#include <ATen/ATen.h>

#include "base/error.h"
#include "methods/method.h"
#include "worker/run/run_config.h"

namespace lacuna::worker {

struct Placement {
  at::Device device = at::kCPU;
  at::MemoryFormat layout = at::MemoryFormat::Contiguous;
};

// What libraries read from the environment when they start, for train.mode exact: cuBLAS with a
// workspace that makes its sums repeatable, NCCL with one algorithm and protocol whatever it would
// choose for the nodes at hand. A variable that the user has set stays. Before MPI, NCCL and CUDA.
void pin_libraries(const RunConfig& config);

// Sets threads, denormals and the kernel mode of this process, and decides device (`gpu` among CUDA
// devices; `given`, where there is one, whatever the configuration says) and layout.
// Throws ConfigError when the device is not there. On a GPU with train.mode exact an operator
// without a deterministic kernel throws from then on: explain_refusal() says so in a user's words.
Placement set_up_device(const RunConfig& config, int gpu = 0,
                        std::optional<at::Device> given = std::nullopt);

// A ConfigError for what torch throws where there is no deterministic kernel, and where a device
// has too little memory, with what to do; null: another error.
std::optional<ConfigError> explain_refusal(const std::exception& error);

// Moves the method's tensors; parameters of five axes take the layout. They stay the tensors that
// modules and others hold.
void place(methods::Method& method, const Placement& placement);

// Seeds torch's generators for a step (-1: before training) from (seed, step, rank), so that no
// generator state has to be saved. phase > 0: of a phase on the meta set, whichever rank runs it.
void seed_generators(std::uint64_t seed, std::int64_t step, int rank, int phase = 0);

// The most memory that this process has held so far, in bytes (host).
std::int64_t peak_memory_bytes();

}  // namespace lacuna::worker
