// Graphics processors, through libraries that may or may not be there: nothing here is linked, so
// that the program starts on machines without a driver.
#include <string>

#include <dlfcn.h>
#include <fmt/format.h>

#include "base/error.h"
#include "monitoring/doctor/doctor.h"

namespace lacuna::monitoring {
namespace {

using Verdict = Finding::Verdict;

// A function of a library that this process has already loaded (LibTorch brings CUDA along).
template <typename Function>
Function* loaded(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

int version_from(const char* function) {
  int version = 0;
  if (auto* get = loaded<int(int*)>(function)) get(&version);
  return version;
}

// Device attributes of the driver interface (cuda.h: CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*).
constexpr int kCapabilityMajor = 75, kCapabilityMinor = 76;

std::vector<Gpu> list_gpus() {
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY);
  if (!driver) return {};
  const auto find = [&]<typename Function>(Function*& function, const char* name) {
    function = reinterpret_cast<Function*>(dlsym(driver, name));
    return function != nullptr;
  };
  int (*init)(unsigned) = nullptr;
  int (*count)(int*) = nullptr;
  int (*get)(int*, int) = nullptr;
  int (*name)(char*, int, int) = nullptr;
  int (*memory)(std::size_t*, int) = nullptr;
  int (*attribute)(int*, int, int) = nullptr;
  std::vector<Gpu> gpus;
  int devices = 0;
  if (find(init, "cuInit") && find(count, "cuDeviceGetCount") && find(get, "cuDeviceGet") &&
      find(name, "cuDeviceGetName") && find(memory, "cuDeviceTotalMem_v2") &&
      find(attribute, "cuDeviceGetAttribute") && init(0) == 0 && count(&devices) == 0) {
    for (int i = 0; i < devices; ++i) {
      int device = 0;
      char text[256] = "";
      std::size_t bytes = 0;
      Gpu gpu;
      if (get(&device, i) != 0 || name(text, sizeof text, device) != 0) continue;
      memory(&bytes, device);
      attribute(&gpu.major, kCapabilityMajor, device);
      attribute(&gpu.minor, kCapabilityMinor, device);
      gpu.name = text;
      gpu.memory_bytes = bytes;
      gpus.push_back(gpu);
    }
  }
  dlclose(driver);
  return gpus;
}

std::string cuda_version(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

Finding judge_driver(const GpuFacts& facts) {
  if (facts.driver_version == 0) {
    if (facts.device_nodes) {
      return {Verdict::kProblem, "gpu", "driver", "none, but there are /dev/nvidia* devices",
              "Install the NVIDIA driver, or start the container with --gpus all."};
    }
    return {Verdict::kGood, "gpu", "driver", "none: everything runs on the processor", ""};
  }
  const std::string value = fmt::format("for CUDA up to {}", cuda_version(facts.driver_version));
  if (facts.driver_version / 1000 < facts.runtime_version / 1000) {
    return {Verdict::kProblem, "gpu", "driver", value,
            fmt::format("Install a driver for CUDA {} or later, or set train.device=cpu.",
                        cuda_version(facts.runtime_version))};
  }
  return {Verdict::kGood, "gpu", "driver", value, ""};
}

}  // namespace

GpuFacts gather_gpus() {
  GpuFacts facts;
  facts.runtime_version = version_from("cudaRuntimeGetVersion");
  // Success with version 0 is how the runtime says that there is no driver.
  facts.driver_version = version_from("cudaDriverGetVersion");
  if (auto* get = loaded<std::size_t()>("cudnnGetVersion")) {
    const std::size_t version = get();
    facts.cudnn = fmt::format("{}.{}.{}", version / 10000, version % 10000 / 100, version % 100);
  }
  facts.device_nodes = exists(Path("/dev/nvidiactl"));
  if (facts.driver_version > 0) facts.gpus = list_gpus();
  return facts;
}

std::vector<Finding> judge_gpus(const GpuFacts& facts) {
  std::vector<Finding> findings;
  findings.push_back(
      {Verdict::kGood, "gpu", "CUDA runtime",
       facts.runtime_version > 0 ? cuda_version(facts.runtime_version) : "not in this build", ""});
  findings.push_back({Verdict::kGood, "gpu", "cuDNN",
                      facts.cudnn.empty() ? "not in this build" : facts.cudnn, ""});
  findings.push_back(judge_driver(facts));
  for (std::size_t i = 0; i < facts.gpus.size(); ++i) {
    const Gpu& gpu = facts.gpus[i];
    const bool old = gpu.major < 8;
    findings.push_back(
        {old ? Verdict::kAdvice : Verdict::kGood, "gpu", fmt::format("device {}", i),
         fmt::format("{}, {:.0f} GiB, compute capability {}.{}", gpu.name,
                     static_cast<double>(gpu.memory_bytes) / (1u << 30), gpu.major, gpu.minor),
         old ? "Our kernels are built for 8.0 and later: set train.device=cpu or use another GPU."
             : ""});
  }
  if (facts.driver_version > 0 && facts.gpus.empty()) {
    findings.push_back({Verdict::kAdvice, "gpu", "devices", "a driver, but no device",
                        "Look at CUDA_VISIBLE_DEVICES and nvidia-smi, or set train.device=cpu."});
  }
  return findings;
}

}  // namespace lacuna::monitoring
