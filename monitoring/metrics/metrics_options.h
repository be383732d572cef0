// The keys monitor.metrics* of a run's configuration.
#pragma once

#include <filesystem>
#include <string>

#include "base/text/json.h"

namespace lacuna::monitoring {

struct MetricsOptions {
  bool enabled = true;
  std::string bind = "auto";      // or an IP address; auto: where the status server listens
  int port = 0;                   // 0: any free one
  std::filesystem::path targets;  // directory of target files; empty: none is written
};

// From a resolved configuration. Without monitor.enabled there are no metrics either. Throws
// ConfigError when the address is none.
MetricsOptions read_metrics_options(const Json& resolved);

}  // namespace lacuna::monitoring
