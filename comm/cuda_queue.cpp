#include "comm/cuda_queue.h"

#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include "base/error.h"

namespace lacuna::comm {
namespace {

void check(cudaError_t code, const char* tried) {
  if (code == cudaSuccess) return;
  cudaGetLastError();  // reported here: it must not surface in somebody else's call
  throw_error<Error>("{}: CUDA says: {}. Run: lacuna doctor", tried, cudaGetErrorString(code));
}

// An event of the queue's device.
class CudaMark final : public Mark {
 public:
  explicit CudaMark(c10::cuda::CUDAStream stream) : device_(stream.device_index()) {
    const c10::cuda::CUDAGuard guard(device_);
    check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "making an event");
    record(stream);
  }
  ~CudaMark() override {
    const c10::cuda::CUDAGuard guard(device_);
    cudaEventDestroy(event_);
  }
  CudaMark(const CudaMark&) = delete;
  CudaMark& operator=(const CudaMark&) = delete;

  State state() override {
    const cudaError_t code = cudaEventQuery(event_);
    if (code == cudaSuccess) return State::kReached;
    cudaGetLastError();  // "not ready" counts as an error, too
    if (code == cudaErrorNotReady) return State::kPending;
    error_ = fmt::format("CUDA says: {}", cudaGetErrorString(code));
    return State::kFailed;
  }
  std::string error() const override { return error_; }
  cudaEvent_t event() const { return event_; }

 private:
  void record(c10::cuda::CUDAStream stream) {
    const cudaError_t code = cudaEventRecord(event_, stream);
    if (code != cudaSuccess) cudaEventDestroy(event_);
    check(code, "recording an event");
  }

  c10::DeviceIndex device_;
  cudaEvent_t event_ = nullptr;
  std::string error_;
};

class CudaQueue final : public DeviceQueue {
 public:
  // High priority: a collective that waits for compute to leave the GPU stalls every rank.
  explicit CudaQueue(c10::DeviceIndex device)
      : stream_(c10::cuda::getStreamFromPool(/*isHighPriority=*/true, device)) {}

  void follow_compute() override {
    const CudaMark now(c10::cuda::getCurrentCUDAStream(stream_.device_index()));
    check(cudaStreamWaitEvent(stream_, now.event(), 0), "waiting for the compute stream");
  }

  std::unique_ptr<Mark> mark() override { return std::make_unique<CudaMark>(stream_); }

  void copy_to_host(std::byte* host, const void* device, std::size_t bytes) override {
    const c10::cuda::CUDAGuard guard(stream_.device_index());
    check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream_),
          "copying to the host");
  }
  void copy_to_device(void* device, const std::byte* host, std::size_t bytes) override {
    const c10::cuda::CUDAGuard guard(stream_.device_index());
    check(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream_),
          "copying to the GPU");
  }

  std::shared_ptr<std::byte[]> host_memory(std::size_t bytes) override {
    const c10::cuda::CUDAGuard guard(stream_.device_index());
    void* memory = nullptr;
    check(cudaHostAlloc(&memory, bytes, cudaHostAllocDefault), "allocating page-locked memory");
    return {static_cast<std::byte*>(memory), [](std::byte* all) { cudaFreeHost(all); }};
  }

  void* stream() override { return stream_.stream(); }
  void select_device() override { c10::cuda::set_device(stream_.device_index()); }
  std::unique_ptr<DeviceQueue> another() override {
    return std::make_unique<CudaQueue>(stream_.device_index());
  }

 private:
  c10::cuda::CUDAStream stream_;
};

}  // namespace

int visible_gpus(std::string& why) {
  // Without a driver this succeeds and says 0; every other call would leave an error behind.
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    cudaGetLastError();
    why = "no NVIDIA driver";
    return 0;
  }
  int count = 0;
  const cudaError_t code = cudaGetDeviceCount(&count);
  if (code == cudaSuccess && count > 0) return count;
  cudaGetLastError();
  why = code == cudaSuccess ? "no GPU is visible" : cudaGetErrorString(code);
  return 0;
}

std::string gpu_uuid(int gpu) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, gpu), "asking for a GPU's identity");
  std::string text = "GPU-";
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", static_cast<unsigned char>(properties.uuid.bytes[i]));
  }
  return text;
}

std::unique_ptr<DeviceQueue> make_cuda_queue(int gpu) {
  std::string why;
  const int count = visible_gpus(why);
  if (count == 0) throw_error<Error>("GPU {} cannot be used: {}. Run: lacuna doctor", gpu, why);
  if (gpu < 0 || gpu >= count) {
    throw_error<Error>("GPU {} does not exist: this process sees {}. Look at CUDA_VISIBLE_DEVICES.",
                       gpu, count);
  }
  return std::make_unique<CudaQueue>(static_cast<c10::DeviceIndex>(gpu));
}

}  // namespace lacuna::comm
