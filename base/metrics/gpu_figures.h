// Memory, load, power and temperature of this process's GPU, as figures, from NVIDIA's management
// library (NVML), which is opened at run time: a machine without a driver has no such series.
//
// One thread at a time.
#pragma once

#include <memory>
#include <string>

#include "base/metrics/metrics.h"

namespace lacuna {

class GpuFigures {
 public:
  // uuid: the identity of the device, "GPU-...", since NVML numbers devices in its own way. Null
  // when the library or the device is not there; `why` then says so. library: a seam.
  static std::unique_ptr<GpuFigures> open(Metrics& metrics, const std::string& uuid,
                                          std::string& why,
                                          const char* library = "libnvidia-ml.so.1");
  ~GpuFigures();
  GpuFigures(const GpuFigures&) = delete;
  GpuFigures& operator=(const GpuFigures&) = delete;

  // What the device does not tell (a partition of a GPU has no power of its own) keeps its value.
  void sample();

 private:
  class Library;
  GpuFigures(std::unique_ptr<Library> library, void* device, Metrics& metrics);

  std::unique_ptr<Library> library_;
  void* device_;
  Gauge used_, total_, busy_, power_, heat_;
};

}  // namespace lacuna
