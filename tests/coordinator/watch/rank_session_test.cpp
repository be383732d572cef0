#include "coordinator/watch/rank_session.h"

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "base/metrics/metric_names.h"
#include "base/process/clock.h"
#include "coordinator/monitor/run_monitor.h"
#include "tests/coordinator/http_socket.h"

namespace lacuna::coordinator {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

// Two ranks in one process: the exchange is a pair of promises.
class TwoRanks {
 public:
  std::vector<std::string> exchange(int rank, const std::string& mine) {
    std::unique_lock lock(mutex_);
    const std::size_t round = rounds_[static_cast<std::size_t>(rank)]++;
    if (texts_.size() <= round) texts_.emplace_back(2);
    texts_[round][static_cast<std::size_t>(rank)] = mine;
    if (++given_[round] == 2) changed_.notify_all();
    changed_.wait(lock, [&] { return given_[round] == 2; });
    return texts_[round];
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::size_t> rounds_{0, 0};
  std::vector<std::vector<std::string>> texts_;
  std::map<std::size_t, int> given_;
};

class RankSessionTest : public ::testing::Test {
 protected:
  RankSessionTest() {
    options_.limits = {0.01, 10, 0.2};
    fs::create_directories(run());
  }
  fs::path run() const { return directory_ / "run"; }

  std::unique_ptr<RankSession> start(int rank, int ranks = 2, Figures figures = {}) {
    return std::make_unique<RankSession>(
        options_, run(), rank, ranks, pulses_[static_cast<std::size_t>(rank)],
        [this, rank](const std::string& mine) { return exchange_.exchange(rank, mine); },
        [this](const Json& event) {
          reported_.set_value(event);
          if (disk_.valid()) disk_.wait();
        },
        [this, rank](const std::string& why) {
          left_[static_cast<std::size_t>(rank)].set_value(why);
        },
        std::move(figures));
  }
  void start_both() {
    auto second = std::async(std::launch::async, [&] { return start(1); });
    sessions_[0] = start(0);
    sessions_[1] = second.get();
  }
  std::string reason(int rank) {
    auto future = left_[static_cast<std::size_t>(rank)].get_future();
    if (future.wait_for(std::chrono::seconds(60)) != std::future_status::ready) return "(none)";
    return future.get();
  }

  TemporaryDirectory directory_;
  SessionOptions options_;
  Pulse pulses_[2];
  TwoRanks exchange_;
  std::promise<Json> reported_;
  std::shared_future<void> disk_;  // where it is set: what is written waits for it
  std::promise<std::string> left_[2];
  std::unique_ptr<RankSession> sessions_[2];  // ended before what they use
};

TEST_F(RankSessionTest, OneRankServesItsStatusAndLeavesNothingBehind) {
  const auto threads = own_count("task");
  options_.limits = {1, 30, 600};
  auto session = start(0, 1);
  EXPECT_FALSE(fs::exists(run() / "coordinator.json"));  // not before it holds the directory
  session->publish("plan", {{"method", "toy"}, {"steps", 10}});
  session->publish("metrics", {{"step", 3}, {"loss", 0.5}, {"diagnostics", {{"w/T1", 0.25}}}});
  struct stat token {};
  ASSERT_EQ(::stat((run() / "coordinator.token").c_str(), &token), 0);
  EXPECT_EQ(token.st_mode & 0777, 0600U);
  RunMonitor monitor(run());
  const Sight sight = monitor.look();
  EXPECT_EQ(sight.status.at("source"), "server") << sight.note;
  EXPECT_EQ(sight.status.at("method"), "toy");
  EXPECT_EQ(sight.status.at("step"), 3);
  EXPECT_EQ(sight.status.at("diagnostics").at("w/T1"), 0.25);
  EXPECT_EQ(sight.status.at("ranks").size(), 1U);
  session->finish(RankEnd::kDone);
  session.reset();
  EXPECT_TRUE(fs::is_empty(run()));
  EXPECT_EQ(own_count("task"), threads);
}

TEST_F(RankSessionTest, RequestsReachTheTrainerCheckpointsOnce) {
  auto session = start(0, 1);
  session->publish("plan", Json::object());
  const auto endpoint = read_endpoint(run());
  ASSERT_TRUE(endpoint);
  HttpClient client(endpoint->address, endpoint->port, endpoint->token);
  EXPECT_FALSE(session->checkpoint_requested());
  EXPECT_EQ(client.request("POST", "/api/checkpoint", "", 20).status, 202);
  EXPECT_TRUE(session->checkpoint_requested());
  EXPECT_FALSE(session->checkpoint_requested());
  EXPECT_FALSE(session->stop_requested());
  EXPECT_EQ(client.request("POST", "/api/stop", "", 20).status, 202);
  EXPECT_TRUE(session->stop_requested());
  session->finish(RankEnd::kDone);
}

TEST_F(RankSessionTest, APortInUseCostsAWarningOnly) {
  auto first = start(0, 1);
  first->publish("plan", Json::object());
  const int taken = read_endpoint(run())->port;
  options_.port = taken;
  const fs::path other = directory_ / "other";
  fs::create_directories(other);
  RankSession second(options_, other, 0, 1, pulses_[1], {}, {}, [](const std::string&) {});
  second.publish("plan", Json::object());
  const auto endpoint = read_endpoint(other);
  ASSERT_TRUE(endpoint);
  EXPECT_NE(endpoint->port, taken);
  second.finish(RankEnd::kDone);
  first->finish(RankEnd::kDone);
}

TEST_F(RankSessionTest, SwitchedOffItDoesNothing) {
  options_.enabled = false;
  auto session = start(0, 1);
  session->publish("plan", Json::object());
  EXPECT_FALSE(session->stop_requested());
  EXPECT_TRUE(fs::is_empty(run()));
}

TEST_F(RankSessionTest, BothRanksSeeAStuckOneNamedAndLeave) {
  // Before the start: a pause of this machine between the two must not blame rank 0.
  pulses_[0].beat(0, Activity::kWaiting);
  pulses_[1].beat(0, Activity::kWaitingForData);
  start_both();
  sessions_[0]->publish("plan", {{"steps", 10}});
  for (const std::string& why : {reason(0), reason(1)}) {
    EXPECT_THAT(why, HasSubstr("rank 1"));
    EXPECT_THAT(why, HasSubstr("stuck in a read"));
  }
  const Json event = reported_.get_future().get();
  EXPECT_EQ(event.at("event"), "peer_lost");
  EXPECT_EQ(event.at("rank"), 1);
  EXPECT_FALSE(fs::exists(run() / "coordinator.json"));
}

// As storage that hangs: what rank 0 writes about the loss does not come back.
TEST_F(RankSessionTest, TheOthersAreToldBeforeAnythingIsWritten) {
  std::promise<void> answer;
  disk_ = answer.get_future().share();
  start_both();
  pulses_[0].beat(0, Activity::kSaving);
  pulses_[1].beat(0, Activity::kWaiting);
  EXPECT_THAT(reason(1), HasSubstr("rank 0"));
  answer.set_value();
  EXPECT_THAT(reason(0), HasSubstr("a save does not end"));
}

TEST_F(RankSessionTest, FiguresOfEveryRankReachTheCoordinatorWithItsHeartbeats) {
  options_.limits = {0.01, 30, 0};
  Metrics metrics[2];
  for (int rank = 0; rank < 2; ++rank) {
    metrics[rank].counter(metric::kTrainSteps).add(10 + rank);
    metrics[rank].gauge(metric::kRunStep, {}, 1);  // the run's: only rank 0 tells it
  }
  const auto of = [&](int rank) { return [&, rank] { return metrics[rank].samples(); }; };
  auto second = std::async(std::launch::async, [&] { return start(1, 2, of(1)); });
  sessions_[0] = start(0, 2, of(0));
  sessions_[1] = second.get();
  std::vector<RankSamples> known;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  do {
    known = sessions_[0]->coordinator()->figures();
  } while (known.size() < 2 && std::chrono::steady_clock::now() < until);
  ASSERT_EQ(known.size(), 2U);
  const auto value = [&](std::size_t rank, const Metric& metric) {
    for (const MetricSample& each : known[rank].samples) {
      if (each.metric == &metric) return each.value;
    }
    return -1.0;
  };
  const double now = steady_clock().unix_seconds();
  for (std::size_t rank = 0; rank < 2; ++rank) {
    EXPECT_EQ(known[rank].rank, static_cast<int>(rank));
    EXPECT_EQ(value(rank, metric::kTrainSteps), 10.0 + static_cast<double>(rank));
    EXPECT_NEAR(value(rank, metric::kHeartbeat), now, 30);
    EXPECT_NEAR(value(rank, metric::kProgress), now, 60);
    EXPECT_EQ(value(rank, metric::kActivity), 0);  // starting
  }
  EXPECT_EQ(value(0, metric::kRunStep), 1);
  EXPECT_EQ(value(1, metric::kRunStep), -1);
  EXPECT_EQ(sessions_[1]->coordinator(), nullptr);
  sessions_[1]->finish(RankEnd::kDone);
  sessions_[0]->finish(RankEnd::kDone);
}

// A rank of another build must not be driven out by what it counts.
TEST_F(RankSessionTest, FiguresThatMakeNoSenseDoNotCostTheHeartbeat) {
  options_.limits = {1, 30, 0};
  Metrics metrics;
  auto session = start(0, 1, [&] { return metrics.samples(); });
  session->publish("plan", Json::object());
  const auto endpoint = read_endpoint(run());
  ASSERT_TRUE(endpoint);
  HttpClient client(endpoint->address, endpoint->port, endpoint->token);
  Json beat = to_json(own_heartbeat(0));
  beat["metrics"] = {{"lacuna_train_steps_total", {{"x", "y", "z"}}}};
  EXPECT_EQ(client.request("POST", "/api/heartbeat", beat.dump(), 20).status, 200);
  beat["metrics"] = 7;
  EXPECT_EQ(client.request("POST", "/api/heartbeat", beat.dump(), 20).status, 200);
  session->finish(RankEnd::kDone);
}

TEST_F(RankSessionTest, WhenTheCoordinatorIsGoneTheOthersNameIt) {
  options_.limits = {0.01, 0.3, 0};
  start_both();
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!sessions_[1]->overseen() && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  sessions_[0]->finish(RankEnd::kFailed);  // does not wait for the others
  sessions_[0].reset();
  const std::string why = reason(1);
  EXPECT_THAT(why, HasSubstr("rank 0"));
  EXPECT_THAT(why, HasSubstr("no answer to a heartbeat"));
}

TEST_F(RankSessionTest, RankZeroStaysUntilTheOthersHaveEnded) {
  options_.limits = {0.01, 30, 0};
  start_both();
  const auto heard = [&] { return sessions_[1]->overseen(); };
  for (int i = 0; i < 60'000 && !heard(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::atomic<bool> other_ended{false};
  auto end = std::async(std::launch::async, [&] {
    sessions_[0]->finish(RankEnd::kDone);
    return other_ended.load();
  });
  (void)end.wait_for(std::chrono::milliseconds(50));  // time to end too early, if it does
  other_ended = true;
  sessions_[1]->finish(RankEnd::kDone);
  ASSERT_EQ(end.wait_for(std::chrono::seconds(60)), std::future_status::ready);
  EXPECT_TRUE(end.get());
}

// A firewall between the hosts: nobody has ever answered, which proves nothing about rank 0.
TEST_F(RankSessionTest, ARankThatNeverHadAnAnswerWarnsAndGoesOn) {
  Endpoint closed;
  closed.address = "127.0.0.1";
  closed.port = 1;  // nobody listens
  closed.host = "another-host";
  closed.token = std::string(64, 'a');
  std::atomic<int> left{0};
  ::testing::internal::CaptureStderr();
  {
    HeartbeatSender sender(closed, own_heartbeat(1), pulses_[1], 0.01, 0.1,
                           [&](const std::string&) { ++left; });
    std::this_thread::sleep_for(std::chrono::seconds(1));  // ten limits
    EXPECT_FALSE(sender.answered());
  }
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(left, 0);
  EXPECT_THAT(said, HasSubstr("has never answered this rank"));
  EXPECT_EQ(said.find("never answered"), said.rfind("never answered"));  // once
}

TEST(SessionOptionsTest, ContradictionsAreRefused) {
  const Json good = {{"monitor",
                      {{"enabled", true},
                       {"bind", "::1"},
                       {"port", 0},
                       {"heartbeat_seconds", 1},
                       {"heartbeat_limit", 30},
                       {"stall_limit", 600}}}};
  EXPECT_EQ(read_session_options(good).bind, "::1");
  Json bad = good;
  bad["monitor"]["bind"] = "localhost";
  EXPECT_THROW(read_session_options(bad), ConfigError);
  bad = good;
  bad["monitor"]["heartbeat_limit"] = 2;
  EXPECT_THROW(read_session_options(bad), ConfigError);
}

}  // namespace
}  // namespace lacuna::coordinator
