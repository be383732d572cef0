// Boards, alert rules, runbook and their documents: consistent with one another, with the names in
// base/metrics/metric_names.h, with Grafana's models and with promtool.
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "base/files/temporary_directory.h"
#include "tests/run_program.h"

namespace lacuna::monitoring {
namespace {

constexpr int kNotInstalled = 77;

// Fails with what the command printed; skips when it says that something is not installed.
void check(const std::string& command) {
  const Scratch scratch;
  const int status = std::system((command + " >" + scratch.text("out") + " 2>&1").c_str());
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  const std::string said = read_text(scratch / "out");
  if (code == kNotInstalled) GTEST_SKIP() << said;
  EXPECT_EQ(code, 0) << said;
}

std::string script(const std::string& rest) {
  return "\"$LACUNA_PYTHON\" \"$LACUNA_SOURCE\"/" + rest;
}

std::string promtool(const std::string& rest) {
  return "command -v promtool >/dev/null || { echo 'promtool is not installed: tools/setup test'; "
         "exit 77; }; cd \"$LACUNA_SOURCE\"/monitoring/alerts && promtool " +
         rest;
}

TEST(Boards, AreWhatTheirDescriptionMakes) {
  check(script("monitoring/grafana/make_boards.py --check"));
}

TEST(Boards, FitGrafanasModelsAndEveryPanelHasUnitAndDescription) {
  check(script("tests/monitoring/check_monitoring.py boards"));
}

TEST(MonitoringFiles, UseDeclaredNamesOnlyAndTheDocumentListsThemAll) {
  check(script("tests/monitoring/check_monitoring.py names"));
}

TEST(Alerts, EachHasAPageOfTheRunbook) {
  check(script("tests/monitoring/check_monitoring.py runbook"));
}

TEST(Alerts, AreValidRules) { check("{ " + promtool("check rules lacuna.yml") + "; }"); }

TEST(Alerts, FireOnFaultsAndStaySilentOnAHealthyRun) {
  check("{ " + promtool("test rules lacuna_test.yml") + "; }");
}

}  // namespace
}  // namespace lacuna::monitoring
