#include "comm/counted.h"

#include <array>

#include <gtest/gtest.h>

#include "base/metrics/metric_names.h"
#include "comm/solo.h"

namespace lacuna::comm {
namespace {

std::uint64_t waits(const Metrics& metrics, const std::string& op) {
  for (const MetricSample& each : metrics.samples()) {
    if (each.metric != &metric::kCollectiveTime || each.labels[0] != op) continue;
    std::uint64_t count = 0;
    for (const std::uint64_t bucket : each.counts) count += bucket;
    return count;
  }
  ADD_FAILURE() << "no series of " << op;
  return 0;
}

TEST(CountedCommunicator, CountsWaitsByKindAndChangesNoResult) {
  Metrics metrics;
  const auto solo = make_solo();
  const auto counted = count_waits(*solo, metrics);
  for (const char* op : {"sum", "maximum", "broadcast", "gather"})
    EXPECT_EQ(waits(metrics, op), 0U);
  EXPECT_EQ(counted->name(), solo->name());
  EXPECT_EQ(counted->size(), 1);

  std::array<float, 2> values{1, 2};
  auto operation = counted->sum(values);
  EXPECT_TRUE(operation->poll());
  EXPECT_EQ(waits(metrics, "sum"), 0U);  // nobody has waited yet
  EXPECT_TRUE(operation->wait(Seconds(1)).ok());
  EXPECT_EQ(waits(metrics, "sum"), 1U);
  EXPECT_EQ(values, (std::array<float, 2>{1, 2}));

  std::array<std::int64_t, 1> flag{7};
  EXPECT_TRUE(counted->maximum(flag)->wait(Seconds(1)).ok());
  std::array<std::byte, 3> bytes{std::byte{1}, std::byte{2}, std::byte{3}};
  EXPECT_TRUE(counted->broadcast(bytes, 0)->wait(Seconds(1)).ok());
  std::vector<std::vector<std::byte>> all;
  EXPECT_TRUE(counted->gather_all(bytes, all, Seconds(1)).ok());
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0], std::vector<std::byte>(bytes.begin(), bytes.end()));
  for (const char* op : {"maximum", "broadcast", "gather"}) EXPECT_EQ(waits(metrics, op), 1U);
}

TEST(CountedCommunicator, SumsOnTheDeviceAndPartsAreCountedToo) {
  Metrics metrics;
  const auto solo = make_solo();
  const auto counted = count_waits(*solo, metrics);
  EXPECT_TRUE(counted->sum_on_device({})->wait(Seconds(1)).ok());
  EXPECT_EQ(counted->split(-1), nullptr);
  const auto part = counted->split(0);
  ASSERT_TRUE(part);
  std::array<float, 1> value{3};
  EXPECT_TRUE(part->sum(value)->wait(Seconds(1)).ok());
  EXPECT_EQ(waits(metrics, "sum"), 2U);
}

}  // namespace
}  // namespace lacuna::comm
