#include "coordinator/status/status_warnings.h"

#include <fmt/format.h>

#include "coordinator/status/status_text.h"

namespace lacuna::coordinator {
namespace {

// Share of a step's time that is worth a word when it is spent waiting for data.
constexpr double kDataBound = 0.2;
constexpr std::size_t kMostRanks = 3;  // named one by one

double number(const Json& status, const char* key) {
  const Json value = status.value(key, Json());
  return value.is_number() ? value.get<double>() : 0;
}

void warn_of_ranks(const Json& status, std::vector<std::string>& warnings) {
  std::size_t silent = 0;
  for (const Json& rank : status.value("ranks", Json::array())) {
    const std::string health = rank_health(rank);
    if (health == "ok" || health == "done" || health == "not heard") continue;
    if (++silent <= kMostRanks) {
      warnings.push_back(fmt::format("Rank {} on {} is {} (step {}, {}).",
                                     text_or_dash(rank, "rank"), text_or_dash(rank, "host"), health,
                                     text_or_dash(rank, "step"), text_or_dash(rank, "activity")));
    }
  }
  if (silent > kMostRanks) {
    warnings.push_back(fmt::format("So are {} other ranks.", silent - kMostRanks));
  }
}

}  // namespace

std::vector<std::string> status_warnings(const Json& status) {
  std::vector<std::string> warnings;
  const auto count = [&](const char* key) { return static_cast<long long>(number(status, key)); };
  warn_of_ranks(status, warnings);
  if (status.value("metrics_step", Json()).is_number() && status.value("loss", Json()).is_null()) {
    warnings.emplace_back("The last loss is not finite.");
  }
  if (const auto steps = count("skipped_steps"); steps > 0) {
    warnings.push_back(
        fmt::format("{} step{} had gradients that are not finite, and changed nothing.", steps,
                    steps == 1 ? "" : "s"));
  }
  if (const auto cases = count("skipped_cases"); cases > 0) {
    warnings.push_back(
        fmt::format("{} case{} could not be read and {} skipped: see log/rank-0.log of the run.",
                    cases, cases == 1 ? "" : "s", cases == 1 ? "was" : "were"));
  }
  if (const auto failures = count("checkpoint_failures"); failures > 0) {
    warnings.push_back(fmt::format("{} checkpoint{} could not be written: see the events for why.",
                                   failures, failures == 1 ? "" : "s"));
  }
  const Json seconds = status.value("seconds", Json());
  const double step = seconds.is_object() ? number(seconds, "step") : 0;
  const double wait = seconds.is_object() ? number(seconds, "data_wait") : 0;
  if (step > 0 && wait > kDataBound * step) {
    warnings.push_back(fmt::format(
        "{:.0f} % of each step is spent waiting for data: a larger data.loader_threads may help.",
        100 * wait / step));
  }
  return warnings;
}

}  // namespace lacuna::coordinator
