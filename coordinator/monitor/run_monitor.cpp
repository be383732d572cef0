#include "coordinator/monitor/run_monitor.h"

#include <set>
#include <utility>

#include "base/error.h"
#include "base/files/lease.h"
#include "base/process/clock.h"
#include "base/process/host.h"
#include "base/text/parse_json.h"
#include "base/text/progress.h"
#include "coordinator/status/process_state.h"
#include "coordinator/status/status_warnings.h"

namespace lacuna::coordinator {
namespace {

const std::set<std::string> kEnds = {"done", "stopped on request", "diverged", "lost a rank",
                                     "not started"};
constexpr const char* kFromFiles = " This is what the files of the run say.";

bool is_loopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1" || address == "0.0.0.0";
}

}  // namespace

RunMonitor::RunMonitor(std::filesystem::path run_directory)
    : directory_(std::move(run_directory)) {}

Sight RunMonitor::look(double patience_seconds) {
  std::string problem;
  if (auto status = ask(patience_seconds, problem)) {
    (*status)["source"] = "server";
    (*status)["page"] = fmt::format("http://{}:{}/", endpoint_->address, endpoint_->port);
    return {std::move(*status), ""};
  }
  Json status = read();
  const std::string gone = judge_life(status);
  status["warnings"] = status_warnings(status);
  status["source"] = "files";
  // Of a run that has ended nobody expects a server.
  const bool over = kEnds.contains(status.at("state").get<std::string>());
  return {std::move(status), !gone.empty() ? gone : over ? "" : problem + kFromFiles};
}

Json RunMonitor::read() {
  if (!files_ || !files_->read_files()) {
    files_ = std::make_unique<RunStatus>(directory_, steady_clock());
    files_->read_files();
  }
  return files_->status();
}

std::string RunMonitor::judge_life(Json& status) const {
  const std::string state = status.at("state");
  if (state != "starting" && state != "running") return "";
  const auto owner = read_lease(directory_);
  if (!owner) {
    status["state"] = state == "starting" ? "not started" : "dead";
    if (state == "starting") return "";
    return fmt::format("Its process has ended without a word in events.jsonl. See {}.",
                       (directory_ / "log" / "rank-0.log").string());
  }
  const double age = steady_clock().unix_seconds() - owner->heartbeat;
  const bool gone = owner->host == host_name() && process_state(owner->pid) == 0;
  if (!gone && age < 2 * owner->stale_seconds) return "";
  status["state"] = "dead";
  return fmt::format("Its process {} on {} is gone, last seen {} ago. The same command resumes.",
                     owner->pid, owner->host, format_duration(age));
}

std::optional<Json> RunMonitor::ask(double patience_seconds, std::string& problem) {
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
  if (is_loopback(endpoint->address) && endpoint->host != host_name()) {
    problem = fmt::format("The status server answers on {} only: run lacuna monitor there.",
                          endpoint->host);
    return std::nullopt;
  }
  if (is_loopback(endpoint->address) && process_state(endpoint->pid) == 0) {
    problem = fmt::format("The status server's process {} is gone.", endpoint->pid);
    return std::nullopt;
  }
  if (!client_ || endpoint_->token != endpoint->token) {  // another process of the run since
    endpoint_ = endpoint;
    const bool any = endpoint->address == "0.0.0.0";
    client_ = std::make_unique<HttpClient>(any ? "127.0.0.1" : endpoint->address, endpoint->port,
                                           endpoint->token);
  }
  const HttpReply reply = client_->request("GET", "/api/status", "", patience_seconds);
  Json status = parse_json_line(reply.body);
  if (reply.status == 200 && status.is_object()) return status;
  problem = fmt::format("The status server of pid {} on {} does not answer at {} port {} ({}).",
                        endpoint->pid, endpoint->host, endpoint->address, endpoint->port,
                        reply.status == 0 ? reply.body : fmt::format("HTTP {}", reply.status));
  return std::nullopt;
}

}  // namespace lacuna::coordinator
