#include "coordinator/watch/rank_session.h"

#include <utility>

#include <unistd.h>

#include "base/error.h"
#include "base/text/log.h"
#include "base/text/parse_json.h"
#include "coordinator/http/bind_address.h"

namespace lacuna::coordinator {
namespace {

std::string choose_address(const SessionOptions& options, const std::vector<std::string>& all) {
  if (options.bind != "auto") return options.bind;
  std::vector<HostAddresses> hosts;
  for (const std::string& each : all)
    hosts.push_back(addresses_from_json(parse_json(each, "addresses of a rank")));
  return choose_bind_address(hosts);
}

std::string announce(const Endpoint& endpoint) {
  return dump_line({{"address", endpoint.address},
                    {"port", endpoint.port},
                    {"host", endpoint.host},
                    {"pid", endpoint.pid},
                    {"token", endpoint.token}});
}

Endpoint announced(const std::string& text) {
  const Json json = parse_json(text, "the announcement of rank 0");
  return {json.at("address"), json.at("port"), json.at("host"), json.at("pid"), "",
          json.at("token")};
}

}  // namespace

RankSession::RankSession(const SessionOptions& options, const std::filesystem::path& run_directory,
                         int rank, int ranks, const Pulse& pulse, const Exchange& exchange,
                         Coordinator::Report report, Leave leave, Figures figures) {
  if (!options.enabled) return;
  const std::string mine = dump_line(to_json(own_addresses()));
  const auto all = ranks > 1 ? exchange(mine) : std::vector<std::string>{mine};
  if (rank == 0) {
    coordinator_ = std::make_unique<Coordinator>(
        options, run_directory, ranks, choose_address(options, all), pulse, std::move(report),
        std::move(leave), std::move(figures));
    if (ranks > 1) exchange(announce(coordinator_->endpoint()));
    return;
  }
  const Endpoint server = announced(exchange("").at(0));
  if (server.port == 0) return;  // rank 0 has warned
  sender_ = std::make_unique<HeartbeatSender>(server, own_heartbeat(rank), pulse,
                                              options.limits.interval, options.limits.silent,
                                              std::move(leave), std::move(figures));
}

RankSession::~RankSession() { finish(RankEnd::kFailed); }

void RankSession::publish(const std::string& kind, const Json& what) {
  if (coordinator_) coordinator_->publish(kind, what);
}

bool RankSession::checkpoint_requested() {
  return coordinator_ && coordinator_->take_checkpoint_request();
}

bool RankSession::stop_requested() const { return coordinator_ && coordinator_->stop_requested(); }

bool RankSession::overseen() const {
  if (sender_) return sender_->answered();
  return coordinator_ && coordinator_->endpoint().port != 0;
}

void RankSession::finish(RankEnd end) {
  if (std::exchange(finished_, true)) return;
  if (coordinator_) coordinator_->finish(end);
  if (sender_) sender_->goodbye(end);
}

void RankSession::leave_process(const std::string& reason) {
  log::error(
      "leaving with exit code 76, because of {} The same command resumes from the newest "
      "checkpoint.",
      reason);
  log::flush(1);
  ::_exit(static_cast<int>(ExitCode::kPeerLost));
}

}  // namespace lacuna::coordinator
