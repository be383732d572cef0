#include "monitoring/metrics/metrics_endpoint.h"

#include <fstream>
#include <regex>
#include <sstream>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "base/metrics/metric_names.h"
#include "base/text/log.h"
#include "coordinator/http/http_client.h"
#include "monitoring/metrics/exposition.h"
#include "monitoring/metrics/scrape_token.h"

namespace lacuna::monitoring {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

std::vector<coordinator::RankSamples> two_ranks() {
  Metrics metrics[2];
  for (int rank = 0; rank < 2; ++rank) {
    metrics[rank].counter(metric::kTrainSteps).add(5 + rank);
    metrics[rank].histogram(metric::kPhaseTime, {"reduce"}).observe(0.02);
    metrics[rank].gauge(metric::kRunStep, {}, 5);
  }
  metrics[0].gauge(metric::kEvalDice, {"ET", "FLAIR+T1c"});
  return {{0, metrics[0].samples()}, {1, metrics[1].samples()}};
}

std::string scrape(int port) {
  coordinator::HttpClient client("127.0.0.1", port, "");
  const auto reply = client.request("GET", "/metrics", "", 20);
  EXPECT_EQ(reply.status, 200) << reply.body;
  return reply.body;
}

// A TCP connection to the endpoint that says `text` and then nothing.
class Client {
 public:
  Client(int port, const std::string& text) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<std::uint16_t>(port));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    EXPECT_EQ(::write(socket_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  Client(Client&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}
  ~Client() {
    if (socket_ >= 0) ::close(socket_);
  }

 private:
  int socket_;
};

class MetricsEndpointTest : public ::testing::Test {
 protected:
  std::unique_ptr<MetricsEndpoint> serve(const std::string& address = "127.0.0.1") {
    return std::make_unique<MetricsEndpoint>(options_, address, "toy-123456", "", two_ranks);
  }
  TemporaryDirectory directory_;
  MetricsOptions options_;
};

TEST_F(MetricsEndpointTest, ShowsEveryRanksFiguresInPrometheusFormat) {
  const auto endpoint = serve();
  ASSERT_GT(endpoint->port(), 0);
  EXPECT_EQ(endpoint->url(), "http://127.0.0.1:" + std::to_string(endpoint->port()) + "/metrics");
  const std::string text = scrape(endpoint->port());
  for (
      const char* line :
      {"# TYPE lacuna_train_steps_total counter\n",
       "lacuna_train_steps_total{run=\"toy-123456\",rank=\"0\"} 5\n",
       "lacuna_train_steps_total{run=\"toy-123456\",rank=\"1\"} 6\n",
       "lacuna_run_step{run=\"toy-123456\"} 5\n",
       "lacuna_eval_dice{run=\"toy-123456\",region=\"ET\",subset=\"FLAIR+T1c\"} NaN\n",
       "lacuna_step_seconds_bucket{run=\"toy-123456\",rank=\"0\",phase=\"reduce\",le=\"0.01\"} 0\n",
       "lacuna_step_seconds_bucket{run=\"toy-123456\",rank=\"1\",phase=\"reduce\",le=\"+Inf\"} 1\n",
       "lacuna_step_seconds_sum{run=\"toy-123456\",rank=\"0\",phase=\"reduce\"} 0.02\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST_F(MetricsEndpointTest, WritesATargetFileThatGoesAwayWithIt) {
  options_.targets = directory_ / "targets";
  auto endpoint = serve();
  std::vector<fs::path> files(fs::directory_iterator(options_.targets), {});
  ASSERT_EQ(files.size(), 1U);
  const Json target = Json::parse(std::ifstream(files[0]));
  EXPECT_EQ(target.at(0).at("targets").at(0), "127.0.0.1:" + std::to_string(endpoint->port()));
  endpoint->withdraw();
  EXPECT_TRUE(fs::is_empty(options_.targets));
  endpoint.reset();
  EXPECT_TRUE(fs::is_empty(options_.targets));
}

// 0.0.0.0 stands for the address of a network; only loopback is there on every machine.
TEST_F(MetricsEndpointTest, BeyondLoopbackItAsksForATokenUnlessTheAddressWasGiven) {
  options_.targets = directory_ / "targets";
  const auto status = [](int port, const std::string& token) {
    return coordinator::HttpClient("127.0.0.1", port, token)
        .request("GET", "/metrics", "", 20)
        .status;
  };
  const MetricsEndpoint open(options_, "127.0.0.1", "toy", "", two_ranks, "token-of-the-run");
  EXPECT_EQ(status(open.port(), ""), 200);
  EXPECT_FALSE(fs::exists(options_.targets / kScrapeTokenFile));  // nobody needs one
  const MetricsEndpoint guarded(options_, "0.0.0.0", "toy2", "", two_ranks, "token-of-the-run");
  EXPECT_EQ(status(guarded.port(), ""), 401);
  EXPECT_EQ(status(guarded.port(), "another-token"), 401);
  EXPECT_EQ(status(guarded.port(), "token-of-the-run"), 200);
  const std::string shared = scrape_token(options_.targets);
  EXPECT_EQ(shared.size(), 64u);
  EXPECT_EQ(status(guarded.port(), shared), 200);
  struct stat info {};
  ASSERT_EQ(::stat((options_.targets / kScrapeTokenFile).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
  // All runs of the directory have the same one.
  const MetricsEndpoint next(options_, "0.0.0.0", "toy3", "", two_ranks, "another-run");
  EXPECT_EQ(status(next.port(), shared), 200);
  EXPECT_EQ(status(next.port(), "token-of-the-run"), 401);
  options_.bind = "0.0.0.0";
  const MetricsEndpoint named(options_, "0.0.0.0", "toy4", "", two_ranks, "token-of-the-run");
  EXPECT_EQ(status(named.port(), ""), 200);
}

TEST_F(MetricsEndpointTest, ATokenFileThatCannotServeLeavesTheTokenOfTheRun) {
  options_.targets = directory_ / "targets";
  fs::create_directories(options_.targets);
  for (const char* content : {"", "short", " \n"}) {
    std::ofstream(options_.targets / kScrapeTokenFile) << content;
    EXPECT_THROW(scrape_token(options_.targets), DataError) << content;
    testing::internal::CaptureStderr();
    const MetricsEndpoint guarded(options_, "0.0.0.0", "toy", "", two_ranks, "token-of-the-run");
    (void)testing::internal::GetCapturedStderr();
    for (const std::string token : {"", "short"}) {
      coordinator::HttpClient client("127.0.0.1", guarded.port(), token);
      EXPECT_EQ(client.request("GET", "/metrics", "", 20).status, 401);
    }
  }
}

// Each with one warning, and training goes on: that is what the constructor's return means.
TEST_F(MetricsEndpointTest, APortInUseLeadsToAnother) {
  const auto first = serve();
  options_.port = first->port();
  ASSERT_TRUE(log::flush(10));
  testing::internal::CaptureStderr();
  const auto second = serve();
  ASSERT_TRUE(log::flush(10));
  const std::string warning = testing::internal::GetCapturedStderr();
  EXPECT_GT(second->port(), 0);
  EXPECT_NE(second->port(), first->port());
  EXPECT_THAT(warning, HasSubstr("Address already in use"));
  EXPECT_EQ(std::count(warning.begin(), warning.end(), '\n'), 1) << warning;
  EXPECT_THAT(scrape(second->port()), HasSubstr("lacuna_run_step"));
}

TEST_F(MetricsEndpointTest, AnAddressThatIsNotOursLeadsToLoopback) {
  ASSERT_TRUE(log::flush(10));
  testing::internal::CaptureStderr();
  const auto endpoint = serve("192.0.2.1");  // of documentation: nobody's
  ASSERT_TRUE(log::flush(10));
  const std::string warning = testing::internal::GetCapturedStderr();
  EXPECT_GT(endpoint->port(), 0);
  EXPECT_THAT(warning, HasSubstr("cannot listen on 192.0.2.1"));
  EXPECT_THAT(endpoint->url(), HasSubstr("127.0.0.1"));
  EXPECT_EQ(std::count(warning.begin(), warning.end(), '\n'), 1) << warning;
}

TEST_F(MetricsEndpointTest, ADirectoryThatCannotBeWrittenCostsAWarning) {
  std::ofstream(directory_ / "file") << "in the way";
  options_.targets = directory_ / "file/targets";
  ASSERT_TRUE(log::flush(10));
  testing::internal::CaptureStderr();
  const auto endpoint = serve();
  ASSERT_TRUE(log::flush(10));
  const std::string warning = testing::internal::GetCapturedStderr();
  EXPECT_GT(endpoint->port(), 0);
  EXPECT_EQ(std::count(warning.begin(), warning.end(), '\n'), 1) << warning;
  EXPECT_THAT(scrape(endpoint->port()), HasSubstr("lacuna_run_step"));
}

TEST_F(MetricsEndpointTest, ListeningOnAllAddressesIsAnnouncedByTheHostsName) {
  options_.targets = directory_ / "targets";
  const auto endpoint = serve("0.0.0.0");
  EXPECT_THAT(endpoint->url(), Not(HasSubstr("0.0.0.0")));
  int targets = 0;
  for (const auto& entry : fs::directory_iterator(options_.targets)) {
    if (entry.path().extension() != ".json") continue;  // the token lies beside
    EXPECT_THAT(read_json(entry.path()).dump(), Not(HasSubstr("0.0.0.0")));
    ++targets;
  }
  EXPECT_EQ(targets, 1);
}

TEST_F(MetricsEndpointTest, StuckScrapersKeepNobodyElseWaitingForLong) {
  const auto endpoint = serve();
  std::vector<Client> stuck;
  for (int i = 0; i < 8; ++i) stuck.emplace_back(endpoint->port(), "GET /metrics HT");
  for (int i = 0; i < 8; ++i) {  // these ask and never read
    stuck.emplace_back(endpoint->port(), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  EXPECT_THAT(scrape(endpoint->port()), HasSubstr("lacuna_run_step"));
}

TEST(RunLabel, IsTheNameOfTheDirectoryAndNothingElseOfThePath) {
  const TemporaryDirectory directory;
  const std::string label = run_label(directory / "secret clinic/first run/");
  EXPECT_TRUE(std::regex_match(label, std::regex("first_run-[0-9a-f]{6}"))) << label;
  EXPECT_EQ(label, run_label(directory / "secret clinic/first run"));
  EXPECT_NE(label, run_label(directory / "other/first run"));
  EXPECT_LE(run_label(directory / std::string(200, 'x')).size(), kLongestLabel);
}

TEST(SweepLabel, IsTheDirectoryWithAPlanThatHoldsTheRuns) {
  const TemporaryDirectory directory;
  fs::create_directories(directory / "policies/runs/r1");
  EXPECT_EQ(sweep_label(directory / "policies/runs/r1"), "");
  std::ofstream(directory / "policies/plan.json") << "{}";
  EXPECT_EQ(sweep_label(directory / "policies/runs/r1"), "policies");
  EXPECT_EQ(sweep_label(directory / "policies/runs/r1/"), "policies");
  EXPECT_EQ(sweep_label(directory.path()), "");
}

TEST(MetricsOptionsTest, AreOffWithTheMonitorAndRefuseAWrongAddress) {
  Json resolved = {{"monitor",
                    {{"enabled", true},
                     {"metrics", true},
                     {"metrics_bind", "0.0.0.0"},
                     {"metrics_port", 9400},
                     {"metrics_targets", "/shared/targets"}}}};
  const MetricsOptions options = read_metrics_options(resolved);
  EXPECT_TRUE(options.enabled);
  EXPECT_EQ(options.port, 9400);
  EXPECT_EQ(options.targets, "/shared/targets");
  resolved["monitor"]["enabled"] = false;
  EXPECT_FALSE(read_metrics_options(resolved).enabled);
  resolved["monitor"]["metrics_bind"] = "everywhere";
  EXPECT_THROW(read_metrics_options(resolved), ConfigError);
}

}  // namespace
}  // namespace lacuna::monitoring
