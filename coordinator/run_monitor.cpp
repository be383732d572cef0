#include "coordinator/run_monitor.h"

#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "coordinator/run_status.h"

namespace lacuna::coordinator {
namespace {

// A server answers within milliseconds; one whose process is stopped never does.
constexpr double kAnswerSeconds = 3;

}  // namespace

RunMonitor::RunMonitor(std::filesystem::path run_directory) : directory_(std::move(run_directory)) {
  for (const char* name : {"run.json", "coordinator.json", "events.jsonl"}) {
    if (std::filesystem::exists(directory_ / name)) return;
  }
  throw_error<DataError>(
      "{}: no run here (neither run.json nor coordinator.json). Start one: "
      "lacuna train RUN.json --out {}",
      directory_.string(), directory_.string());
}

Sight RunMonitor::look() {
  std::string problem;
  if (auto status = ask(problem)) {
    (*status)["source"] = "server";
    return {std::move(*status), ""};
  }
  RunStatus files(directory_, steady_clock());
  files.read_files();
  Json status = files.status();
  status["source"] = "files";
  return {std::move(status), problem + " This is what the files of the run say."};
}

std::optional<Json> RunMonitor::ask(std::string& problem) {
  std::optional<Endpoint> endpoint;
  try {
    endpoint = read_endpoint(directory_);
  } catch (const Error& error) {  // being replaced or removed, or not for this user
    problem = error.what();
    return std::nullopt;
  }
  if (!endpoint) {
    problem = "No status server runs (there is no coordinator.json).";
    return std::nullopt;
  }
  if (!client_ || endpoint_->token != endpoint->token) {  // another process of the run since
    endpoint_ = endpoint;
    const bool any = endpoint->address == "0.0.0.0";
    client_ = std::make_unique<HttpClient>(any ? "127.0.0.1" : endpoint->address, endpoint->port,
                                           endpoint->token);
  }
  const HttpReply reply = client_->request("GET", "/api/status", "", kAnswerSeconds);
  Json status = Json::parse(reply.body, nullptr, /*allow_exceptions=*/false);
  if (reply.status == 200 && status.is_object()) return status;
  problem = fmt::format("The status server of pid {} on {} does not answer at {} port {} ({}).",
                        endpoint->pid, endpoint->host, endpoint->address, endpoint->port,
                        reply.status == 0 ? reply.body : fmt::format("HTTP {}", reply.status));
  return std::nullopt;
}

}  // namespace lacuna::coordinator
