// GPUs as this process sees them, and the real DeviceQueue. Everything here may be called without a
// driver or GPU.
#pragma once

#include <memory>
#include <string>

#include "comm/device_queue.h"

namespace lacuna::comm {

// GPUs that this process can use; 0 with `why` filled in ("no NVIDIA driver").
int visible_gpus(std::string& why);

// "GPU-xxxxxxxx-...": the same for the same device in every process. Throws Error.
std::string gpu_uuid(int gpu);

// Throws Error when the GPU cannot be used.
std::unique_ptr<DeviceQueue> make_cuda_queue(int gpu);

}  // namespace lacuna::comm
