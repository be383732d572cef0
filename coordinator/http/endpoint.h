// Where the status server of a run listens: coordinator.json and coordinator.token in the run
// directory, for people, `lacuna monitor` and other programs of the same user.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace lacuna::coordinator {

struct Endpoint {
  std::string address;
  int port = 0;
  std::string host;
  long pid = 0;
  std::string run, token;
  std::string metrics;  // URL of /metrics; empty: there is none
};

// The token first (mode 0600), then coordinator.json; each is replaced as a whole. Throws
// DataError.
void write_endpoint(const std::filesystem::path& run_directory, const Endpoint& endpoint);
// Removes both files if they are still this process's. Never throws.
void remove_endpoint(const std::filesystem::path& run_directory, const Endpoint& endpoint) noexcept;
// Nothing when there is no coordinator.json. Throws DataError or ConfigError when it or the token
// cannot be read.
std::optional<Endpoint> read_endpoint(const std::filesystem::path& run_directory);

}  // namespace lacuna::coordinator
