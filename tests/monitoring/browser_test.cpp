// The report in a real browser: no console errors, every chart drawn. Skipped, visibly, where
// chromium is not installed.
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/temporary_directory.h"
#include "monitoring/report.h"
#include "tests/monitoring/synthetic_run.h"

namespace lacuna::monitoring {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  char buffer[4096];
  while (const std::size_t size = fread(buffer, 1, sizeof buffer, pipe)) text.append(buffer, size);
  pclose(pipe);
  return text;
}

// Counts canvases that hold more than one colour, and errors, and leaves both in the title.
constexpr const char* kProbe = R"(<script>
let errors = [];
window.addEventListener('error', (event) => errors.push(event.message));
window.addEventListener('securitypolicyviolation', (event) => errors.push(event.blockedURI));
window.addEventListener('load', () => setTimeout(() => {
  dispatchEvent(new Event('beforeprint'));  // draws charts that were not scrolled to
  let drawn = 0;
  const canvases = [...document.querySelectorAll('canvas[data-chart]')];
  for (const canvas of canvases) {
    const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    const colours = new Set();
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200) colours.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
    if (colours.size > 3) ++drawn;
  }
  const overflow = document.documentElement.scrollWidth - window.innerWidth;
  document.title = `canvases=${canvases.length} drawn=${drawn} errors=[${errors}] overflow=${overflow <= 0 ? 'no' : overflow}`;
}, 500));
</script>)";

class Browser : public testing::Test {
 protected:
  void SetUp() override {
    if (output_of("command -v chromium").empty()) GTEST_SKIP() << "chromium is not installed";
  }

  // What the page's console said, and the title that the probe left.
  std::string open(const std::filesystem::path& page, const std::string& size) {
    return output_of("HOME=" + directory_.path().string() +
                     " timeout 120 chromium --headless --no-sandbox --disable-gpu "
                     "--disable-dev-shm-usage --enable-logging=stderr --window-size=" +
                     size + " --virtual-time-budget=4000 --dump-dom file://" + page.string() +
                     " 2>&1 | grep -aE 'CONSOLE|<title>'");
  }

  std::filesystem::path write_page(const std::string& page) {
    std::string probed = page;
    probed.insert(probed.find("<style>"), kProbe);
    const auto path = directory_ / "probed.html";
    std::ofstream(path) << probed;
    return path;
  }

  TemporaryDirectory directory_;
};

TEST_F(Browser, DrawsEveryChartWithoutErrorsOnDesktopAndPhone) {
  write_synthetic_run(directory_ / "mckd", {});
  SyntheticRun unet;
  unet.method = "unet </script>";
  unet.importance = false;
  write_synthetic_run(directory_ / "unet", unet);
  const auto page =
      write_page(make_report(read_runs({directory_ / "mckd", directory_ / "unet"}), "today"));
  for (const char* size : {"1280,9000", "500,16000"}) {
    const std::string seen = open(page, size);
    // Robustness, loss, learning rate, validation, speed, importance weights.
    EXPECT_THAT(seen, HasSubstr("canvases=6 drawn=6 errors=[] overflow=no")) << size;
    EXPECT_THAT(seen, Not(HasSubstr("CONSOLE"))) << size;
  }
}

}  // namespace
}  // namespace lacuna::monitoring
