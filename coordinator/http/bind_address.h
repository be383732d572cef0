// Which address the ranks of a run can reach rank 0 at.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/text/json.h"

namespace lacuna::coordinator {

inline constexpr const char* kLoopback = "127.0.0.1";

struct HostAddresses {
  struct Ipv4 {
    std::uint32_t address = 0;  // host byte order
    int prefix = 0;             // bits of the network part
  };
  std::string host;
  std::vector<Ipv4> addresses;  // of interfaces that are up, without loopback
};

HostAddresses own_addresses();
Json to_json(const HostAddresses& addresses);
HostAddresses addresses_from_json(const Json& json);  // throws Json::exception

// The address that the server listens on. `hosts` by rank. Loopback when all ranks are on one host.
// Otherwise the address of rank 0 in a network that the other hosts are in as well, or in most of
// them: never all interfaces, so that a public one stays closed. A network in which another host
// has the very same address (a container bridge) is none in common.
std::string choose_bind_address(const std::vector<HostAddresses>& hosts);

}  // namespace lacuna::coordinator
