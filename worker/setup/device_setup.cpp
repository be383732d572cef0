#include "worker/setup/device_setup.h"

#include <algorithm>

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <sys/resource.h>
#include <torch/cuda.h>
#include <torch/utils.h>

#include "base/error.h"
#include "base/random.h"
#include "methods/registry.h"

namespace lacuna::worker {

Placement set_up_device(const RunConfig& config, int gpu) {
  // First of all: threads that torch starts later inherit the processor's denormal mode.
  at::globalContext().setFlushDenormal(true);
  if (config.threads > 0) at::set_num_threads(config.threads);
  const bool exact = config.mode == "exact";
  // Warn only: an operator without a deterministic kernel is named instead of ending the run.
  at::globalContext().setDeterministicAlgorithms(exact, /*warn_only=*/true);
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  at::globalContext().setDeterministicCuDNN(exact);
  at::globalContext().setBenchmarkCuDNN(!exact);

  const bool has_cuda = torch::cuda::is_available();
  if (config.device == "cuda" && !has_cuda) {
    throw_error<ConfigError>(
        "train.device is cuda, but no GPU can be used here. Set it to auto or "
        "cpu, or look at `lacuna doctor`.");
  }
  Placement placement;
  if (config.device != "cpu" && has_cuda) {
    placement.device = at::Device(at::kCUDA, static_cast<at::DeviceIndex>(std::max(0, gpu)));
    c10::impl::VirtualGuardImpl(at::kCUDA).setDevice(placement.device);
  }
  bool last = config.layout == "channels_last";
  if (config.layout == "auto") {
    last = config.precision == "bf16" ||
           (placement.device.is_cpu() && methods::find_method(config.method).channels_last_on_cpu);
  }
  if (last) placement.layout = at::MemoryFormat::ChannelsLast3d;
  return placement;
}

void place(methods::Method& method, const Placement& placement) {
  method.module().to(placement.device);
  if (placement.layout != at::MemoryFormat::ChannelsLast3d) return;
  for (auto& parameter : method.module().parameters()) {
    if (parameter.dim() == 5) parameter.set_data(parameter.contiguous(placement.layout));
  }
}

void seed_generators(std::uint64_t seed, std::int64_t step, int rank, int phase) {
  Stream stream(seed, Purpose::kInitialise, static_cast<std::uint64_t>(step + 1),
                static_cast<std::uint32_t>(rank) | static_cast<std::uint32_t>(phase) << 16);
  const std::uint64_t high = stream.next(), low = stream.next();
  torch::manual_seed(high << 32 | low);
}

std::int64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;  // Linux counts KiB
}

}  // namespace lacuna::worker
