#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text/json.h"
#include "tests/run_program.h"

namespace lacuna {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A finished run of 40 steps.
void write_run(const std::filesystem::path& directory, const std::string& method) {
  std::filesystem::create_directories(directory);
  std::ofstream(directory / "run.json")
      << Json{{"method", method}, {"train", {{"steps", 40}}}}.dump();
  std::ofstream(directory / "metrics.jsonl") << "{\"step\": 40, \"loss\": 0.25}\n";
  std::ofstream(directory / "events.jsonl")
      << "{\"event\": \"start\", \"step\": 0}\n{\"event\": \"done\", \"step\": 40}\n";
}

TEST(MonitorCommand, PrintsOnceWhereTheOutputIsNoTerminal) {
  const Scratch scratch;
  write_run(scratch / "run", "toy");
  const auto text = run_program("monitor " + scratch.text("run"));
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("run   toy   done"));
  EXPECT_THAT(text.out, HasSubstr("step 40 of 40 (100.0 %)"));
  EXPECT_THAT(text.out, Not(HasSubstr("\x1b")));
  const auto json = run_program("monitor --once --json " + scratch.text("run"));
  EXPECT_EQ(Json::parse(json.out).at("state"), "done");
}

TEST(MonitorCommand, ShowsEveryRunOfASweep) {
  const Scratch scratch;
  write_run(scratch / "runs" / "one", "toy");
  write_run(scratch / "runs" / "two", "toy");
  const auto json = run_program("monitor --json " + scratch.path().string());
  EXPECT_EQ(json.code, 0) << json.err;
  EXPECT_EQ(Json::parse(json.out).at("counts"), Json({{"done", 2}}));
  EXPECT_THAT(run_program("monitor " + scratch.path().string()).out, HasSubstr("2 runs: 2 done"));
}

TEST(MonitorCommand, WhereThereIsNoRunItSaysHowToStartOne) {
  const Scratch scratch;
  const auto result = run_program("monitor " + scratch.path().string());
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr("neither a run nor a directory of runs"));
}

// A pseudo terminal with the program in it.
class Terminal {
 public:
  Terminal(const std::string& arguments, const std::string& environment) {
    winsize size{24, 80, 0, 0};
    child_ = ::forkpty(&master_, nullptr, nullptr, &size);
    if (child_ != 0) return;
    const std::string command =
        "exec env " + environment + " \"$LACUNA_PROGRAM\" monitor " + arguments;
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    ::_exit(127);
  }
  ~Terminal() {
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
    }
    ::close(master_);
  }

  // Everything that comes until `text` does, or until the end for "".
  std::string read_until(const std::string& text) {
    std::string seen;
    char buffer[4096];
    for (pollfd ready{master_, POLLIN, 0}; ::poll(&ready, 1, 60'000) > 0;) {
      const ssize_t count = ::read(master_, buffer, sizeof buffer);
      if (count <= 0) break;
      seen.append(buffer, static_cast<std::size_t>(count));
      if (!text.empty() && seen.find(text) != std::string::npos) break;
    }
    return seen;
  }
  void type(const std::string& keys) const {
    EXPECT_EQ(::write(master_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  void resize(unsigned short width, unsigned short height) const {
    const winsize size{height, width, 0, 0};
    ::ioctl(master_, TIOCSWINSZ, &size);  // sends SIGWINCH
  }
  int code() {
    int status = 0;
    ::waitpid(std::exchange(child_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  int master_ = -1;
  pid_t child_ = 0;
};

TEST(MonitorCommand, OnATerminalFollowsTheWindowAndPutsTheScreenBack) {
  const Scratch scratch;
  write_run(scratch / "one", "toy");
  write_run(scratch / "two", "other");
  Terminal terminal(scratch.path().string(), "TERM=xterm LC_ALL=C.UTF-8 NO_COLOR=");
  EXPECT_THAT(terminal.read_until("two"), HasSubstr("\x1b[?1049h"));
  terminal.resize(120, 30);
  terminal.read_until("████████████████████ 100.0 %");  // bars have room from 100 columns
  terminal.type("\x1b[B\r");                            // down, Enter: the second run
  EXPECT_THAT(terminal.read_until("other   done"), HasSubstr("two   other   done"));
  terminal.type("\x1b");
  EXPECT_THAT(terminal.read_until("2 runs"), HasSubstr("2 runs"));
  terminal.type("q");
  EXPECT_THAT(terminal.read_until(""), HasSubstr("\x1b[?1049l"));
  EXPECT_EQ(terminal.code(), 0);
}

TEST(MonitorCommand, APlainTerminalGetsPlainLines) {
  const Scratch scratch;
  write_run(scratch / "run", "toy");
  Terminal terminal(scratch.text("run"), "TERM=dumb LC_ALL=C");
  const std::string seen = terminal.read_until("");
  EXPECT_THAT(seen, HasSubstr("run   toy   done"));
  EXPECT_THAT(seen, HasSubstr("#####"));
  EXPECT_THAT(seen, Not(HasSubstr("\x1b")));
  EXPECT_EQ(terminal.code(), 0);
}

TEST(MonitorCommand, NoColorTakesTheColoursOnly) {
  const Scratch scratch;
  write_run(scratch / "run", "toy");
  std::filesystem::remove(scratch / "run" / "events.jsonl");
  std::ofstream(scratch / "run" / "events.jsonl") << "{\"event\": \"start\", \"step\": 0}\n";
  for (const bool colour : {true, false}) {
    Terminal terminal(scratch.text("run"),
                      colour ? "TERM=xterm NO_COLOR=" : "TERM=xterm NO_COLOR=1");
    const std::string seen = terminal.read_until("without a word");  // an alarm
    EXPECT_EQ(seen.find("\x1b[31m") != std::string::npos, colour);
    terminal.type("q");
    terminal.read_until("");
    EXPECT_EQ(terminal.code(), 0);
  }
}

}  // namespace
}  // namespace lacuna
