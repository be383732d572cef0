// What GpuFigures asks NVML, with invented answers: one GPU, GPU-1, which does not tell its power.
#include <cstring>

extern "C" {

int nvmlInit_v2() { return 0; }
int nvmlShutdown() { return 0; }
const char* nvmlErrorString(int code) { return code == 6 ? "Not Found" : "Not Supported"; }

int nvmlDeviceGetHandleByUUID(const char* uuid, void** device) {
  static int one;
  *device = &one;
  return std::strcmp(uuid, "GPU-1") == 0 ? 0 : 6;
}
int nvmlDeviceGetMemoryInfo(void*, unsigned long long* memory) {
  memory[0] = 80ull << 30;  // total, free, used
  memory[1] = 60ull << 30;
  memory[2] = 20ull << 30;
  return 0;
}
int nvmlDeviceGetUtilizationRates(void*, unsigned* load) {
  load[0] = 75;  // kernels, memory
  load[1] = 10;
  return 0;
}
int nvmlDeviceGetPowerUsage(void*, unsigned*) { return 3; }
int nvmlDeviceGetTemperature(void*, unsigned, unsigned* celsius) {
  *celsius = 61;
  return 0;
}
}
