#include "coordinator/watch/session_options.h"

#include <arpa/inet.h>

#include "base/error.h"

namespace lacuna::coordinator {

bool is_ip_address(const std::string& text) {
  unsigned char ignored[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, text.c_str(), ignored) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), ignored) == 1;
}

SessionOptions read_session_options(const Json& resolved) {
  const Json& monitor = resolved.at("monitor");
  SessionOptions options;
  options.enabled = monitor.at("enabled");
  options.bind = monitor.at("bind");
  options.port = monitor.at("port");
  options.limits.interval = monitor.at("heartbeat_seconds");
  options.limits.silent = monitor.at("heartbeat_limit");
  options.limits.stall = monitor.at("stall_limit");
  if (options.bind != "auto" && !is_ip_address(options.bind)) {
    throw_error<ConfigError>("monitor.bind is \"{}\", expected auto or an IP address",
                             options.bind);
  }
  if (options.limits.silent < 3 * options.limits.interval) {
    throw_error<ConfigError>(
        "monitor.heartbeat_limit is {} s: it must be at least three times "
        "monitor.heartbeat_seconds, "
        "{} s",
        options.limits.silent, options.limits.interval);
  }
  return options;
}

}  // namespace lacuna::coordinator
