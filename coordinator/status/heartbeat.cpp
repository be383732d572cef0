#include "coordinator/status/heartbeat.h"

#include <utility>

#include <unistd.h>

#include "base/error.h"
#include "base/process/host.h"

namespace lacuna::coordinator {
namespace {

constexpr std::array<const char*, 3> kEnds = {"", "done", "failed"};  // by RankEnd
constexpr std::size_t kLongestHost = 255;

RankEnd end_named(const std::string& name) {
  for (std::size_t i = 0; i < kEnds.size(); ++i) {
    if (name == kEnds[i]) return static_cast<RankEnd>(i);
  }
  throw_error<DataError>("heartbeat: end \"{}\" is none", name.substr(0, 40));
}

std::int64_t count(const Json& json, const char* name) {
  const Json& value = json.at(name);
  if (!value.is_number_integer() || value.get<std::int64_t>() < 0) {
    throw_error<DataError>("heartbeat: {} is no count", name);
  }
  return value.get<std::int64_t>();
}

}  // namespace

Activity activity_named(const std::string& name) {
  for (int i = 0; i <= static_cast<int>(Activity::kFinished); ++i) {
    if (name == activity_name(static_cast<Activity>(i))) return static_cast<Activity>(i);
  }
  throw_error<DataError>("heartbeat: activity \"{}\" is none", name.substr(0, 40));
}

Json to_json(const Heartbeat& heartbeat) {
  return {{"rank", heartbeat.rank},
          {"host", heartbeat.host},
          {"pid", heartbeat.pid},
          {"step", heartbeat.pulse.step},
          {"activity", activity_name(heartbeat.pulse.activity)},
          {"seconds_since", heartbeat.pulse.seconds_since},
          {"beats", heartbeat.pulse.beats},
          {"waits_for", heartbeat.pulse.waits_for},
          {"end", kEnds[static_cast<std::size_t>(heartbeat.end)]}};
}

Heartbeat heartbeat_from_json(const Json& json) {
  try {
    Heartbeat heartbeat;
    const std::int64_t rank = count(json, "rank");
    heartbeat.rank = rank <= 1'000'000 ? static_cast<int>(rank) : -1;  // -1: nobody's
    heartbeat.host = json.at("host").get<std::string>();
    if (heartbeat.host.size() > kLongestHost) throw_error<DataError>("heartbeat: host is too long");
    heartbeat.pid = count(json, "pid");
    heartbeat.pulse.step = count(json, "step");
    heartbeat.pulse.activity = activity_named(json.at("activity").get<std::string>());
    heartbeat.pulse.seconds_since = json.at("seconds_since").get<double>();
    heartbeat.pulse.beats = count(json, "beats");
    // Any number will do: it is shown, nothing is looked up by it.
    heartbeat.pulse.waits_for = json.value("waits_for", -1);
    heartbeat.end = end_named(json.at("end").get<std::string>());
    return heartbeat;
  } catch (const Json::exception& error) {
    throw_error<DataError>("heartbeat: {}", error.what());
  }
}

Heartbeat own_heartbeat(int rank) { return {rank, host_name(), ::getpid(), {}, RankEnd::kRunning}; }

std::string dump_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace lacuna::coordinator
