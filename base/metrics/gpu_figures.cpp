#include "base/metrics/gpu_figures.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "base/metrics/metric_names.h"

namespace lacuna {
namespace {

// The few declarations of nvml.h that are used; its binary interface is stable.
struct Memory {
  unsigned long long total, free, used;
};
struct Utilization {
  unsigned gpu, memory;  // percent
};
constexpr unsigned kCoreSensor = 0;

}  // namespace

// libnvidia-ml.so.1, initialised while it lives.
class GpuFigures::Library {
 public:
  using Text = const char* (*)(int);
  int (*device_by_uuid)(const char*, void**) = nullptr;
  int (*memory)(void*, Memory*) = nullptr;
  int (*utilization)(void*, Utilization*) = nullptr;
  int (*power)(void*, unsigned*) = nullptr;  // milliwatts
  int (*temperature)(void*, unsigned, unsigned*) = nullptr;
  Text text = nullptr;

  // Why it cannot be used; empty when it can.
  std::string start(const char* name) {
    handle_ = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!handle_) return fmt::format("no {}: there is no NVIDIA driver", name);
    int (*init)() = nullptr;
    const bool complete = load(init, "nvmlInit_v2") && load(shutdown_, "nvmlShutdown") &&
                          load(device_by_uuid, "nvmlDeviceGetHandleByUUID") &&
                          load(memory, "nvmlDeviceGetMemoryInfo") &&
                          load(utilization, "nvmlDeviceGetUtilizationRates") &&
                          load(power, "nvmlDeviceGetPowerUsage") &&
                          load(temperature, "nvmlDeviceGetTemperature") &&
                          load(text, "nvmlErrorString");
    if (!complete) return fmt::format("{} lacks a function", name);
    const int code = init();
    if (code != 0) return fmt::format("nvmlInit: {}", text(code));
    started_ = true;
    return "";
  }
  ~Library() {
    if (started_) shutdown_();
    if (handle_) ::dlclose(handle_);
  }

 private:
  template <typename Function>
  bool load(Function& function, const char* name) {
    function = reinterpret_cast<Function>(::dlsym(handle_, name));
    return function != nullptr;
  }

  void* handle_ = nullptr;
  int (*shutdown_)() = nullptr;
  bool started_ = false;
};

std::unique_ptr<GpuFigures> GpuFigures::open(Metrics& metrics, const std::string& uuid,
                                             std::string& why, const char* name) {
  auto library = std::make_unique<Library>();
  why = library->start(name);
  if (!why.empty()) return nullptr;
  void* device = nullptr;
  if (const int code = library->device_by_uuid(uuid.c_str(), &device); code != 0) {
    why = fmt::format("{}: {}", uuid, library->text(code));
    return nullptr;
  }
  return std::unique_ptr<GpuFigures>(new GpuFigures(std::move(library), device, metrics));
}

GpuFigures::GpuFigures(std::unique_ptr<Library> library, void* device, Metrics& metrics)
    : library_(std::move(library)),
      device_(device),
      used_(metrics.gauge(metric::kGpuMemory, {"used"})),
      total_(metrics.gauge(metric::kGpuMemory, {"total"})),
      busy_(metrics.gauge(metric::kGpuBusy)),
      power_(metrics.gauge(metric::kGpuPower)),
      heat_(metrics.gauge(metric::kGpuHeat)) {
  sample();
}

GpuFigures::~GpuFigures() = default;

void GpuFigures::sample() {
  Memory memory{};
  if (library_->memory(device_, &memory) == 0) {
    used_.set(static_cast<double>(memory.used));
    total_.set(static_cast<double>(memory.total));
  }
  Utilization load{};
  if (library_->utilization(device_, &load) == 0) busy_.set(load.gpu / 100.0);
  unsigned value = 0;
  if (library_->power(device_, &value) == 0) power_.set(value / 1000.0);
  if (library_->temperature(device_, kCoreSensor, &value) == 0) heat_.set(value);
}

}  // namespace lacuna
