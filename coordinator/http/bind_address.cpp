#include "coordinator/http/bind_address.h"

#include <algorithm>
#include <array>
#include <bit>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>

#include "base/process/host.h"

namespace lacuna::coordinator {
namespace {

std::uint32_t ipv4(const sockaddr* address) {
  return ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr);
}

std::string text(std::uint32_t address) {
  const in_addr raw{htonl(address)};
  std::array<char, INET_ADDRSTRLEN> buffer{};
  return ::inet_ntop(AF_INET, &raw, buffer.data(), buffer.size()) ? buffer.data() : kLoopback;
}

bool same_network(const HostAddresses::Ipv4& one, const HostAddresses::Ipv4& other) {
  if (one.prefix != other.prefix || one.prefix < 1 || one.prefix > 32) return false;
  const int shift = 32 - one.prefix;
  return one.address >> shift == other.address >> shift && one.address != other.address;
}

// How many other hosts are in the network of `mine`; -1 when it is no common network.
int neighbours(const HostAddresses::Ipv4& mine, const std::vector<HostAddresses>& hosts) {
  int count = 0;
  for (const HostAddresses& other : hosts) {
    if (other.host == hosts.front().host) continue;
    bool near = false;
    for (const auto& address : other.addresses) {
      if (address.address == mine.address) return -1;
      near = near || same_network(mine, address);
    }
    count += near ? 1 : 0;
  }
  return count;
}

}  // namespace

HostAddresses own_addresses() {
  HostAddresses own;
  own.host = host_name();
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return own;
  for (const ifaddrs* each = all; each; each = each->ifa_next) {
    const bool usable = each->ifa_addr && each->ifa_netmask && (each->ifa_flags & IFF_UP) != 0 &&
                        (each->ifa_flags & IFF_LOOPBACK) == 0;
    if (!usable || each->ifa_addr->sa_family != AF_INET) continue;
    own.addresses.push_back({ipv4(each->ifa_addr), std::popcount(ipv4(each->ifa_netmask))});
  }
  ::freeifaddrs(all);
  return own;
}

Json to_json(const HostAddresses& addresses) {
  Json list = Json::array();
  for (const auto& each : addresses.addresses) list.push_back({each.address, each.prefix});
  return {{"host", addresses.host}, {"addresses", list}};
}

HostAddresses addresses_from_json(const Json& json) {
  HostAddresses addresses{json.at("host"), {}};
  for (const Json& each : json.at("addresses")) {
    addresses.addresses.push_back({each.at(0), each.at(1)});
  }
  return addresses;
}

std::string choose_bind_address(const std::vector<HostAddresses>& hosts) {
  const bool one_host = std::all_of(hosts.begin(), hosts.end(), [&](const HostAddresses& host) {
    return host.host == hosts.front().host;
  });
  if (hosts.empty() || one_host || hosts.front().addresses.empty()) return kLoopback;
  const auto& mine = hosts.front().addresses;
  const auto best = std::max_element(mine.begin(), mine.end(), [&](const auto& a, const auto& b) {
    return neighbours(a, hosts) < neighbours(b, hosts);
  });
  return text(best->address);
}

}  // namespace lacuna::coordinator
