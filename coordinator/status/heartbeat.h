// What a rank tells the coordinator once per interval, and its JSON form (docs/coordinator.md).
#pragma once

#include <functional>
#include <string>

#include "base/metrics/metrics.h"
#include "base/process/pulse.h"
#include "base/text/json.h"

namespace lacuna::coordinator {

// The figures of this rank now, to go with a heartbeat; called on a thread of this library.
using Figures = std::function<MetricSamples()>;

enum class RankEnd { kRunning, kDone, kFailed };  // a last heartbeat says how the rank ended

struct Heartbeat {
  int rank = 0;
  std::string host;
  long pid = 0;
  Pulse::Reading pulse;
  RankEnd end = RankEnd::kRunning;
};

Json to_json(const Heartbeat& heartbeat);
// Throws DataError naming the field when something is missing, of a wrong type or out of range.
Heartbeat heartbeat_from_json(const Json& json);

// Throws DataError for a name that no activity has.
Activity activity_named(const std::string& name);

// This process as rank `rank`, without a pulse.
Heartbeat own_heartbeat(int rank);

// One line of UTF-8 whatever the strings hold: bytes that are none are replaced, never thrown at.
std::string dump_line(const Json& json);

}  // namespace lacuna::coordinator
