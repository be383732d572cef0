#include "base/process/child_process.h"

#include <cerrno>
#include <csignal>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "tests/base/system_calls.h"

namespace lacuna {
namespace {

using ::testing::HasSubstr;

constexpr double kLong = 30;

ChildOptions shell(const std::string& script) { return {{"sh", "-c", script}}; }

// A zombie that nobody has waited for yet does not run.
bool is_running(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::size_t name_end = text.rfind(") ");
  return name_end != std::string::npos && text[name_end + 2] != 'Z';
}

// Polls, because a process that was killed needs a moment to go.
bool ends(pid_t pid) {
  for (int i = 0; i < 1000; ++i) {
    if (!is_running(pid)) return true;
    ::usleep(10'000);
  }
  return false;
}

TEST(ChildProcess, ReportsExitCodesAndSignals) {
  EXPECT_EQ(ChildProcess(shell("exit 76")).wait(kLong), 76);
  EXPECT_EQ(ChildProcess(shell("kill -9 $$")).wait(kLong), 128 + SIGKILL);
}

TEST(ChildProcess, CollectsMoreThanAPipeHoldsAndTheEnvironmentThatWasAdded) {
  ChildOptions options =
      shell("head -c 300000 /dev/zero | tr '\\0' x; printf '%s' \"$LACUNA_MARK\" >&2; cat");
  options.environment = {{"LACUNA_MARK", "a b=c"}};
  const CommandResult result = run_command(options, kLong);
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.output, std::string(300000, 'x'));  // and cat met the end of /dev/null
  EXPECT_EQ(result.error, "a b=c");
}

TEST(ChildProcess, RemovedVariablesAreNotInherited) {
  ::setenv("LACUNA_MARK", "here", 1);
  ChildOptions options = shell("echo ${LACUNA_MARK-gone} ${HOME:+home}");
  options.removed = {"LACUNA_MARK"};
  EXPECT_EQ(run_command(options, kLong).output, "gone home\n");
  ::unsetenv("LACUNA_MARK");
}

TEST(ChildProcess, WhatIsNotCapturedIsAppendedToTheFile) {
  const TemporaryDirectory folder;
  ChildOptions options = shell("echo out; echo error >&2");
  options.output_file = folder.text("log");
  EXPECT_EQ(ChildProcess(options).wait(kLong), 0);
  options.capture_output = true;
  ChildProcess child(options);
  EXPECT_EQ(child.wait(kLong), 0);
  EXPECT_EQ(child.take_output(), "out\n");
  std::ifstream file(options.output_file);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(text, "out\nerror\nerror\n");
  options.output_file = folder.text("absent/log");
  EXPECT_THROW(ChildProcess{options}, DataError);
}

TEST(ChildProcess, ArgumentsAreNotReadByAShell) {
  const CommandResult result = run_command({{"printf", "%s|", "$HOME", "a b", "*"}}, kLong);
  EXPECT_EQ(result.output, "$HOME|a b|*|");
}

TEST(ChildProcess, AProgramThatIsNotThereIsAnErrorThatNamesIt) {
  try {
    ChildProcess({{"lacuna-no-such-program"}});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("lacuna-no-such-program cannot be started: No such file"));
  }
}

// A signal that comes while the answer is awaited does not make it a program that has started.
TEST(ChildProcess, AProgramThatIsNotThereIsAnErrorAlsoWhenASignalComes) {
  SystemCalls calls("pipe:");
  calls.fail("read", EINTR);
  EXPECT_THROW(ChildProcess({{"lacuna-no-such-program"}}), Error);
}

TEST(ChildProcess, EndKillsTheWholeGroupAlsoWhenItIgnoresSigterm) {
  ChildOptions options = shell("trap '' TERM; sleep 1000 & echo $!; wait; wait");
  options.capture_output = true;
  ChildProcess child(options);
  std::string text;
  while (text.find('\n') == std::string::npos) {
    child.wait(kLong / 1000);
    text += child.take_output();
  }
  EXPECT_EQ(child.end(0.05), 128 + SIGKILL);
  EXPECT_TRUE(ends(std::stoi(text)));
}

TEST(ChildProcess, ACommandPastItsDeadlineIsKilled) {
  const CommandResult result = run_command(shell("echo begun; exec sleep 1000"), 0.3);
  EXPECT_FALSE(result.code);
}

// The parent is killed with SIGKILL, so it cannot tell anybody.
TEST(ChildProcess, DoesNotOutliveItsParent) {
  int ends_of_pipe[2];
  ASSERT_EQ(::pipe(ends_of_pipe), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    ChildProcess child({{"sleep", "1000"}});
    const pid_t pid = child.pid();
    if (::write(ends_of_pipe[1], &pid, sizeof pid) < 0) ::_exit(1);
    ::pause();
  }
  pid_t pid = 0;
  ASSERT_EQ(::read(ends_of_pipe[0], &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  EXPECT_TRUE(is_running(pid));
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  EXPECT_TRUE(ends(pid));
  ::close(ends_of_pipe[0]);
  ::close(ends_of_pipe[1]);
}

}  // namespace
}  // namespace lacuna
