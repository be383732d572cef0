// The report in a real browser: every chart drawn, every text readable, nothing asked for
// elsewhere. Skipped, visibly, where chromium is not installed.
#include <cstdlib>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "base/files/temporary_directory.h"
#include "monitoring/report/report.h"
#include "tests/monitoring/synthetic_run.h"

namespace lacuna::monitoring {
namespace {

std::string environment(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value ? value : otherwise;
}

class Browser : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("command -v chromium >/dev/null 2>&1") != 0) {
      GTEST_SKIP() << "chromium is not installed";
    }
  }

  void check(const std::string& page, int charts, const std::string& what) {
    const auto path = directory_ / "report.html";
    std::ofstream(path, std::ios::binary) << page;
    // An idle machine opens it in a fraction of a second; tests share theirs with others.
    const std::string seconds = environment("LACUNA_REPORT_SECONDS", "300");
    const std::string command =
        environment("LACUNA_PYTHON", "python3") + " " + environment("LACUNA_SOURCE", ".") +
        "/tests/monitoring/check_report_page.py " + path.string() + " " + std::to_string(charts) +
        " " + seconds + " " + what + " " + environment("LACUNA_PICTURES", "");
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
  }

  TemporaryDirectory directory_;
};

TEST_F(Browser, ShowsTwoRunsOnDesktopAndPhoneInLightAndDark) {
  SyntheticRun mckd;
  mckd.cohort_cases = 285;  // with published numbers
  write_synthetic_run(directory_ / "mckd", mckd);
  SyntheticRun unet;
  unet.method = "unet </script>";
  unet.importance = false;
  write_synthetic_run(directory_ / "unet", unet);
  // Robustness, loss, learning rate, validation, speed, importance weights.
  check(make_report(read_runs({directory_ / "mckd", directory_ / "unet"}), "today"), 6, "look");
}

TEST_F(Browser, OpensAHundredRuns) {
  check(make_report(read_runs(write_hundred_runs(directory_.path())), "today"),
        106,  // weights of each, and the means over seeds
        "open");
}

}  // namespace
}  // namespace lacuna::monitoring
