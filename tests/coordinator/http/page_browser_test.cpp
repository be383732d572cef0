// The status page of a real server in a real browser. Skipped, visibly, where chromium is not
// installed.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files/temporary_directory.h"
#include "coordinator/watch/coordinator.h"

namespace lacuna::coordinator {
namespace {

// A training of 2000 steps, half done, as its trainer would tell it.
void publish_training(Coordinator& coordinator) {
  coordinator.publish(
      "plan",
      {{"method", "mckd </script>"},
       {"steps", 2000},
       {"modalities", {"FLAIR", "T1", "T1c", "T2"}},
       {"regions", {"ET", "TC", "WT"}},
       {"stages",
        {{{"name", "teacher"}, {"steps", 800}}, {{"name", "student <b>"}, {"steps", 1200}}}}});
  const auto event = [&](const char* name, int step) {
    coordinator.publish("event",
                        {{"event", name}, {"step", step}, {"time", "2026-11-21T04:00:00Z"}});
  };
  event("start", 0);
  const char* const names[] = {"FLAIR", "T1", "T1c", "T2"};
  for (int step = 10; step <= 1000; step += 10) {
    const double t = step / 1000.0;
    Json line = {
        {"step", step},
        {"stage", "student <b>"},
        {"loss", 1.2 - t},
        {"losses", {{"dice", 0.8 - 0.6 * t}, {"cross_entropy", 0.4 - 0.4 * t}}},
        {"learning_rates", {{"network", 1e-3 * (1 - t / 2)}}},
        {"diagnostics",
         {{"importance/FLAIR", 0.25 + 0.1 * t},
          {"importance/T1", 0.25 - 0.1 * t},
          {"importance/T1c", 0.3},
          {"importance/T2", 0.2}}},
        {"samples_per_second", 4.0 + t},
        {"seconds",
         {{"step", 0.4}, {"data_wait", 0.2}, {"forward_backward", 0.15}, {"reduce", 0.05}}},
        {"skipped_steps", 2},
        {"skipped_cases", 0},
        {"checkpoint_failures", 0}};
    if (step % 100 == 0) {
      Json table = Json::object();
      for (unsigned mask = 1; mask < 16; ++mask) {
        std::string subset;
        for (unsigned m = 0; m < 4; ++m) {
          if (mask & (1U << m)) subset += (subset.empty() ? "" : "+") + std::string(names[m]);
        }
        const double dice = 0.2 * t + 0.04 * mask;
        table[subset] = {{"ET", dice - 0.1}, {"TC", dice}, {"WT", dice + 0.1}};
      }
      line["validation"] = {{"score", 0.5 * t},
                            {"cases", 4},
                            {"step", step},
                            {"table", table},
                            {"regions", {{"ET", 0.3 * t}, {"TC", 0.5 * t}, {"WT", 0.7 * t}}}};
      event("validation", step);
      event("checkpoint", step);
    }
    coordinator.publish("metrics", line);
  }
}

TEST(StatusPage, ShowsTheRunLoadsNothingFromElsewhereAndSaysWhenNobodyAnswers) {
  if (std::system("command -v chromium >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "chromium is not installed";
  }
  const TemporaryDirectory directory;
  SessionOptions options;
  options.limits = {0.5, 600, 0};
  Pulse pulse;
  pulse.beat(1000, Activity::kComputing);
  auto coordinator = std::make_unique<Coordinator>(options, directory.path(), 2, "127.0.0.1", pulse,
                                                   nullptr, [](const std::string&) {});
  publish_training(*coordinator);
  Heartbeat other = own_heartbeat(1);
  other.pulse = {1000, Activity::kWaiting, 0.1, 5};
  coordinator->heartbeat(to_json(other));

  const char* python = std::getenv("LACUNA_PYTHON");
  const char* source = std::getenv("LACUNA_SOURCE");
  const char* pictures = std::getenv("LACUNA_PICTURES");
  const std::string command = std::string(python ? python : "python3") + " " +
                              (source ? source : ".") +
                              "/tests/coordinator/check_page.py http://127.0.0.1:" +
                              std::to_string(coordinator->endpoint().port) + "/ " +
                              coordinator->endpoint().token + " " + (pictures ? pictures : "");
  // The script looks at the page, then waits for its standard input while the server is stopped.
  int to_script[2], from_script[2];
  ASSERT_EQ(::pipe(to_script), 0);
  ASSERT_EQ(::pipe(from_script), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(to_script[0], STDIN_FILENO);
    ::dup2(from_script[1], STDOUT_FILENO);
    for (const int each : {to_script[0], to_script[1], from_script[0], from_script[1]}) {
      ::close(each);
    }
    ::execl("/bin/sh", "sh", "-c", ("exec " + command).c_str(), nullptr);
    ::_exit(127);
  }
  ::close(to_script[0]);
  ::close(from_script[1]);
  FILE* script = ::fdopen(from_script[0], "r");
  char said[16] = "";
  EXPECT_NE(std::fgets(said, sizeof said, script), nullptr);
  EXPECT_STREQ(said, "looked\n");
  coordinator.reset();
  ::close(to_script[1]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  std::fclose(script);
  EXPECT_EQ(status, 0) << "see the message above";
}

}  // namespace
}  // namespace lacuna::coordinator
