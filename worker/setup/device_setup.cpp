#include "worker/setup/device_setup.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <sys/resource.h>
#include <torch/cuda.h>
#include <torch/utils.h>

#include "base/error.h"
#include "base/random.h"
#include "kernels/repeatable_backward.h"
#include "methods/registry.h"

namespace lacuna::worker {

void pin_libraries(const RunConfig& config) {
  if (config.mode != "exact" || config.device == "cpu") return;
  constexpr int kKeep = 0;  // what is there
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", kKeep);
  ::setenv("NCCL_ALGO", "Ring", kKeep);
  ::setenv("NCCL_PROTO", "Simple", kKeep);
}

std::optional<ConfigError> explain_refusal(const std::exception& error) {
  const std::string text = error.what();
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr) {
    return ConfigError(fmt::format(
        "the device has not enough memory for a step. In this order: a smaller "
        "train.micro_batch (the same result, slower), train.precision=bf16, a smaller data.patch "
        "or model.width, fewer samples (train.batch). `lacuna train RUN.json --dry-run` measures "
        "a few steps. The library said: {}",
        text.substr(0, text.find('\n'))));
  }
  const auto end = text.find(" does not have a deterministic implementation");
  if (end == std::string::npos) return std::nullopt;
  const auto begin = text.find_last_of(" \n", end - 1);
  const std::string name = text.substr(begin == std::string::npos ? 0 : begin + 1,
                                       end - (begin == std::string::npos ? 0 : begin + 1));
  return ConfigError(
      fmt::format("train.mode is exact, but {} has no deterministic kernel on this GPU, so the run "
                  "could not be "
                  "repeated or resumed bit by bit. Set train.mode to fast, or train.device to cpu.",
                  name));
}

Placement set_up_device(const RunConfig& config, int gpu, std::optional<at::Device> given) {
  pin_libraries(config);
  // First of all: threads that torch starts later inherit the processor's denormal mode.
  at::globalContext().setFlushDenormal(true);
  if (config.threads > 0) at::set_num_threads(config.threads);
  const bool exact = config.mode == "exact";
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  at::globalContext().setDeterministicCuDNN(exact);
  at::globalContext().setBenchmarkCuDNN(!exact);
  // By itself torch rounds convolutions to TF32.
  at::globalContext().setAllowTF32CuDNN(config.precision == "tf32");
  at::globalContext().setAllowTF32CuBLAS(config.precision == "tf32");

  const bool has_cuda = torch::cuda::is_available();
  if (config.device == "cuda" && !has_cuda) {
    throw_error<ConfigError>(
        "train.device is cuda, but no GPU can be used here. Set it to auto or "
        "cpu, or look at `lacuna doctor`.");
  }
  Placement placement;
  if (given) {
    placement.device = *given;
  } else if (config.device != "cpu" && has_cuda) {
    placement.device = at::Device(at::kCUDA, static_cast<at::DeviceIndex>(std::max(0, gpu)));
    c10::impl::VirtualGuardImpl(at::kCUDA).setDevice(placement.device);
  }
  // What torch has no repeatable kernel for on a GPU, and every network uses, has one of ours. Any
  // other promise that cannot be kept is refused; CPU kernels keep it.
  // Static, as what it changes is: torch has one table of kernels per process.
  static std::optional<kernels::RepeatableBackward> repeatable;
  repeatable.reset();
  if (exact && placement.device.is_cuda()) repeatable.emplace(c10::DispatchKey::CUDA);
  at::globalContext().setDeterministicAlgorithms(exact, /*warn_only=*/placement.device.is_cpu());
  bool last = config.layout == "channels_last";
  if (config.layout == "auto") {
    last = config.precision == "bf16" ||
           (placement.device.is_cpu() && methods::find_method(config.method).channels_last_on_cpu);
  }
  if (last) placement.layout = at::MemoryFormat::ChannelsLast3d;
  return placement;
}

void place(methods::Method& method, const Placement& placement) {
  const torch::NoGradGuard no_grad;
  // As Module::to() does it, but for devices of any kind: a tensor keeps its identity, and takes
  // memory, strides and device of another.
  const auto move = [&](const at::Tensor& tensor, bool layout) {
    at::Tensor there = tensor.detach().to(placement.device);
    if (layout && there.dim() == 5) there = there.contiguous(placement.layout);
    tensor.unsafeGetTensorImpl()->shallow_copy_from(there.getIntrusivePtr());
  };
  for (const at::Tensor& parameter : method.module().parameters()) move(parameter, true);
  for (const at::Tensor& buffer : method.module().buffers()) move(buffer, false);
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
