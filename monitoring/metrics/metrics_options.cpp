#include "monitoring/metrics/metrics_options.h"

#include "base/error.h"
#include "coordinator/watch/session_options.h"

namespace lacuna::monitoring {

MetricsOptions read_metrics_options(const Json& resolved) {
  const Json& monitor = resolved.at("monitor");
  MetricsOptions options;
  options.enabled = monitor.at("enabled").get<bool>() && monitor.at("metrics").get<bool>();
  options.bind = monitor.at("metrics_bind");
  options.port = monitor.at("metrics_port");
  options.targets = monitor.at("metrics_targets").get<std::string>();
  if (options.bind != "auto" && !coordinator::is_ip_address(options.bind)) {
    throw_error<ConfigError>("monitor.metrics_bind is \"{}\", expected auto or an IP address",
                             options.bind);
  }
  return options;
}

}  // namespace lacuna::monitoring
