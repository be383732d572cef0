#include "coordinator/http/bind_address.h"

#include <gtest/gtest.h>

namespace lacuna::coordinator {
namespace {

constexpr std::uint32_t ip(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}

TEST(BindAddress, IsLoopbackWhenAllRanksAreOnOneHost) {
  EXPECT_EQ(choose_bind_address({{"a", {{ip(10, 0, 0, 1), 24}}}, {"a", {{ip(10, 0, 0, 1), 24}}}}),
            "127.0.0.1");
}

TEST(BindAddress, IsInTheNetworkThatTheHostsShare) {
  const HostAddresses first{"a", {{ip(192, 0, 2, 7), 24}, {ip(10, 1, 0, 1), 16}}};
  const HostAddresses second{"b", {{ip(198, 51, 100, 9), 24}, {ip(10, 1, 9, 2), 16}}};
  EXPECT_EQ(choose_bind_address({first, second}), "10.1.0.1");
}

TEST(BindAddress, AContainerBridgeIsNoCommonNetwork) {
  const HostAddresses first{"a", {{ip(172, 17, 0, 1), 16}, {ip(10, 1, 0, 1), 16}}};
  const HostAddresses second{"b", {{ip(172, 17, 0, 1), 16}, {ip(10, 1, 9, 2), 16}}};
  EXPECT_EQ(choose_bind_address({first, second}), "10.1.0.1");
}

// Nor is it one where the hosts' own networks are routed: a bridge reaches nobody at all.
TEST(BindAddress, AContainerBridgeIsNotPreferredToARoutedNetwork) {
  const HostAddresses first{"a", {{ip(172, 17, 0, 1), 16}, {ip(10, 1, 0, 1), 24}}};
  const HostAddresses second{"b", {{ip(172, 17, 0, 1), 16}, {ip(10, 2, 9, 2), 24}}};
  EXPECT_EQ(choose_bind_address({first, second}), "10.1.0.1");
}

// 127.0.0.1 of this host is another machine's own on every other one.
TEST(BindAddress, LoopbackIsNotOfferedToOtherHosts) {
  for (const auto& each : own_addresses().addresses) {
    EXPECT_NE(each.address >> 24, 127u);
  }
}

TEST(BindAddress, SurvivesTheWayToTheOtherRanks) {
  const HostAddresses sent{"a", {{ip(10, 1, 0, 1), 16}}};
  const HostAddresses got = addresses_from_json(to_json(sent));
  EXPECT_EQ(got.host, "a");
  ASSERT_EQ(got.addresses.size(), 1U);
  EXPECT_EQ(got.addresses[0].address, ip(10, 1, 0, 1));
  EXPECT_EQ(got.addresses[0].prefix, 16);
}

}  // namespace
}  // namespace lacuna::coordinator
