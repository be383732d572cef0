// /metrics of real trainings: alone, with faults, and under a real Prometheus.
#include <cstdlib>
#include <fstream>
#include <regex>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files/temporary_directory.h"
#include "base/text/json.h"
#include "tests/integration/small_cohort.h"
#include "tests/run_program.h"

namespace lacuna::tests {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

// A port of loopback that somebody else listens on.
class PortInUse {
 public:
  PortInUse() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&at), size), 0);
    EXPECT_EQ(::listen(socket_, 1), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&at), &size), 0);
    port_ = ntohs(at.sin_port);
  }
  ~PortInUse() { ::close(socket_); }
  PortInUse(const PortInUse&) = delete;
  PortInUse& operator=(const PortInUse&) = delete;
  int port() const { return port_; }

 private:
  int socket_, port_ = 0;
};

class MonitoringTest : public ::testing::Test {
 protected:
  ProgramResult train(const std::string& settings) {
    std::ofstream(directory_ / "run.json") << Json{
        {"method", "unet"},
        {"data", {{"split", "small"}, {"patch", {32, 32, 32}}, {"loader_threads", 1}}},
        {"model", {{"width", 0.0625}}},
        {"train", {{"steps", 2}, {"threads", 1}, {"device", "cpu"}}},
        {"validate", {{"every", 0}}}}.dump();
    return run_program("train " + directory_.text("run.json") + " --quiet --out " +
                       directory_.text("out") + " --set data.cache=" + small_cohort().string() +
                       " " + settings);
  }
  static bool has_prometheus() { return std::system("command -v prometheus >/dev/null") == 0; }
  // A script of this directory with PROGRAM, CACHE and a scratch directory.
  void live(const std::string& script) {
    if (!has_prometheus()) GTEST_SKIP() << "prometheus is not installed: tools/setup test";
    const std::string command = "\"$LACUNA_PYTHON\" \"$LACUNA_SOURCE\"/tests/integration/" +
                                script + " \"$LACUNA_PROGRAM\" " + small_cohort().string() + " " +
                                directory_.path().string() + " >" + directory_.text("said") +
                                " 2>&1";
    const int status = std::system(command.c_str());
    const std::string said = read_text(directory_ / "said");
    EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0) << said;
    std::fputs(said.c_str(), stdout);
  }
  TemporaryDirectory directory_;
};

TEST_F(MonitoringTest, EveryPanelOfEveryBoardShowsDataOfATwoRankRun) { live("check_boards.py"); }

// Faults take their time: minutes in all.
TEST_F(MonitoringTest, EveryAlertFiresOnARealFault) {
  if (!std::getenv("LACUNA_LIVE_ALERTS")) GTEST_SKIP() << "LACUNA_LIVE_ALERTS is not set";
  live("check_alerts.py");
}

TEST_F(MonitoringTest, TheDemoPrintsWhereToLookAndEndsWithTheTraining) {
  if (!has_prometheus()) GTEST_SKIP() << "prometheus is not installed: tools/setup test";
  const std::string command =
      "export LACUNA_DEMO_STEPS=2 OMPI_MCA_mpi_yield_when_idle=1; "
      "\"$LACUNA_SOURCE\"/tools/monitoring-demo \"$(dirname \"$LACUNA_PROGRAM\")\" " +
      directory_.text("demo") + " >" + directory_.text("said") + " 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0);
  const std::string said = read_text(directory_ / "said");
  EXPECT_TRUE(std::regex_search(said, std::regex("Figures of the run +http://127.0.0.1:\\d+/m")))
      << said;
  EXPECT_TRUE(std::regex_search(said, std::regex("Prometheus +http://127.0.0.1:\\d+\n"))) << said;
  EXPECT_THAT(said, HasSubstr("training ended with exit code 0"));
}

TEST_F(MonitoringTest, ATargetDirectoryThatCannotBeWrittenCostsOneWarning) {
  std::ofstream(directory_ / "file") << "in the way";
  const auto done = train("--set monitor.metrics_targets=" + directory_.text("file/targets"));
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(count(done.err, "warn"), 1U) << done.err;
  EXPECT_THAT(done.err, HasSubstr("metrics: "));
}

TEST_F(MonitoringTest, AnAddressThatIsRefusedCostsOneWarning) {
  const auto done = train("--set monitor.metrics_bind=192.0.2.1");
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(count(done.err, "warn"), 1U) << done.err;
  EXPECT_THAT(done.err, HasSubstr("cannot listen on 192.0.2.1"));
}

TEST_F(MonitoringTest, APortInUseCostsOneWarning) {
  const PortInUse taken;
  const auto done = train("--set monitor.metrics_port=" + std::to_string(taken.port()));
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(count(done.err, "warn"), 1U) << done.err;
  EXPECT_THAT(done.err, HasSubstr("Address already in use; they are at http://127.0.0.1:"));
}

TEST_F(MonitoringTest, ARunThatEndsLeavesNoTargetBehind) {
  const auto done = train("--set monitor.metrics_targets=" + directory_.text("targets"));
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(count(done.err, "warn"), 0U) << done.err;
  EXPECT_TRUE(fs::is_empty(directory_ / "targets"));
}

TEST_F(MonitoringTest, SwitchedOffThereIsNone) {
  const auto done = train("--set monitor.metrics=false --set monitor.metrics_targets=" +
                          directory_.text("targets"));
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_FALSE(fs::exists(directory_ / "targets"));
}

}  // namespace
}  // namespace lacuna::tests
