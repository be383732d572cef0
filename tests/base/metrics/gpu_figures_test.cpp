// Against a library with NVML's functions; real GPUs are a matter of machines that have one.
#include "base/metrics/gpu_figures.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/metrics/metric_names.h"

namespace lacuna {
namespace {

using ::testing::HasSubstr;

double value(const Metrics& metrics, const Metric& metric, const std::string& kind = "") {
  for (const MetricSample& each : metrics.samples()) {
    if (each.metric == &metric && (kind.empty() || each.labels[0] == kind)) return each.value;
  }
  ADD_FAILURE() << "no series of " << metric.name;
  return 0;
}

TEST(GpuFigures, TellWhatTheDeviceSaysAndNothingForWhatItDoesNot) {
  Metrics metrics;
  std::string why;
  const auto gpu = GpuFigures::open(metrics, "GPU-1", why, LACUNA_FAKE_NVML);
  ASSERT_TRUE(gpu) << why;
  EXPECT_EQ(value(metrics, metric::kGpuMemory, "used"), 20.0 * (1 << 30));
  EXPECT_EQ(value(metrics, metric::kGpuMemory, "total"), 80.0 * (1 << 30));
  EXPECT_EQ(value(metrics, metric::kGpuBusy), 0.75);
  EXPECT_EQ(value(metrics, metric::kGpuHeat), 61);
  EXPECT_TRUE(std::isnan(value(metrics, metric::kGpuPower)));
}

TEST(GpuFigures, AnUnknownDeviceOrAMissingLibraryGivesAReasonAndNoSeries) {
  Metrics metrics;
  std::string why;
  EXPECT_FALSE(GpuFigures::open(metrics, "GPU-2", why, LACUNA_FAKE_NVML));
  EXPECT_THAT(why, HasSubstr("GPU-2: Not Found"));
  EXPECT_FALSE(GpuFigures::open(metrics, "GPU-1", why, "libof-nobody.so.1"));
  EXPECT_THAT(why, HasSubstr("libof-nobody.so.1"));
  EXPECT_TRUE(metrics.samples().empty());
}

}  // namespace
}  // namespace lacuna
