// The `monitor` section of a run's configuration.
#pragma once

#include <string>

#include "base/text/json.h"
#include "coordinator/watch/rank_watch.h"

namespace lacuna::coordinator {

struct SessionOptions {
  bool enabled = true;
  std::string bind = "auto";  // or an IP address
  int port = 0;               // 0: any free one
  WatchLimits limits;
};

// From a resolved configuration. Throws ConfigError when monitor.bind is no IP address, or the
// limits contradict each other.
SessionOptions read_session_options(const Json& resolved);

// IPv4 or IPv6.
bool is_ip_address(const std::string& text);

}  // namespace lacuna::coordinator
