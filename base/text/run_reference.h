// How a configuration names another run whose result it needs: `run:` and the hash of that run's
// configuration. It says which run it is, not where its files lie.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lacuna {

inline constexpr std::string_view kRunReference = "run:";

inline std::string reference_to_run(std::string_view hash) {
  return std::string(kRunReference).append(hash);
}

// The hash, or nothing when the text names no run.
inline std::optional<std::string> referenced_run(std::string_view text) {
  if (!text.starts_with(kRunReference)) return std::nullopt;
  return std::string(text.substr(kRunReference.size()));
}

}  // namespace lacuna
