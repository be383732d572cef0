// The written script is run by bash itself, as SLURM would, with a `scontrol` that notes its calls.
#include "slurm/batch_script.h"

#include <csignal>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/process/child_process.h"
#include "tests/run_program.h"
#include "tests/slurm/nasty.h"

namespace lacuna::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kLong = 30;

class BatchScript : public ::testing::Test {
 protected:
  BatchScript() {
    request_.name = "study";
    request_.tasks = {"first", "second", "third"};
    request_.folder = folder_ / "sweep";
    request_.logs = folder_ / "logs";
    request_.command = {"true"};
    request_.runner = {std::getenv("LACUNA_PROGRAM"), "sweep", "job", "--pause", "0.01"};
    fs::create_directories(folder_ / "bin");
    write_program("scontrol", "echo \"$*\" >> '" + folder_.text("calls") + "'\n" +
                                  "[ \"$1\" = show ] && { if [ -s '" + folder_.text("timeouts") +
                                  "' ]; then sed -i 1d '" + folder_.text("timeouts") +
                                  "'; echo 'slurm_load_jobs error: Socket timed out on send/recv "
                                  "operation' >&2; exit 1; fi; cat '" +
                                  folder_.text("state") + "'; }\n" +
                                  "[ \"$1\" = requeue ] && exit $(cat '" +
                                  folder_.text("refusals") + "')\n" + "exit 0\n");
    state("JobState=RUNNING Reason=None Requeue=1 Restarts=0 BatchFlag=1");
    std::ofstream(folder_ / "refusals") << 0;
  }

  void write_program(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / "bin" / name) << "#!/bin/bash\n" << text;
    fs::permissions(folder_ / "bin" / name, fs::perms::owner_all);
  }
  void state(const std::string& text) { std::ofstream(folder_ / "state") << text << "\n"; }
  void command(const std::string& script) { request_.command = {"bash", "-c", script}; }

  // As SLURM starts it: not through sbatch's reading of #SBATCH lines, which bash takes for
  // comments.
  ChildOptions start(int index, int restarts) {
    fs::create_directories(request_.folder);
    std::ofstream(slurm::script_path(request_), std::ios::binary) << slurm::batch_script(request_);
    std::ofstream(slurm::tasks_path(request_), std::ios::binary) << slurm::task_list(request_);
    ChildOptions options;
    options.command = {"bash", slurm::script_path(request_).string()};
    options.environment = {{"SLURM_ARRAY_JOB_ID", "40"},
                           {"SLURM_ARRAY_TASK_ID", std::to_string(index)},
                           {"SLURM_JOB_ID", "40"},
                           {"SLURM_JOB_NODELIST", "n1"},
                           {"PATH", folder_.text("bin") + ":" + std::getenv("PATH")}};
    if (restarts > 0) options.environment["SLURM_RESTART_COUNT"] = std::to_string(restarts);
    return options;
  }
  CommandResult run(int index = 1, int restarts = 0) {
    fs::remove(folder_ / "calls");
    return run_command(start(index, restarts), kLong);
  }
  bool requeued() { return read_text(folder_ / "calls").find("requeue 40_1") != std::string::npos; }

  const Scratch folder_;
  slurm::ArrayRequest request_;
};

TEST_F(BatchScript, RunsTheTaskOfItsIndexAndEndsWithItsCode) {
  command("echo task={task}; exit 3");
  const CommandResult result = run(2);
  EXPECT_EQ(result.code, 3) << result.error;
  EXPECT_THAT(result.output, HasSubstr("task=third\n"));
  EXPECT_THAT(result.output, HasSubstr("task third: job 40_2 on n1, start 1\n"));
  EXPECT_EQ(result.error, "");
  EXPECT_FALSE(fs::exists(folder_ / "calls"));
}

TEST_F(BatchScript, ATaskThatIsNotInTheListIsAnError) {
  const CommandResult result = run(7);
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.output, HasSubstr("no task 7"));
}

TEST_F(BatchScript, NastyArgumentsReachTheProgramAsTheyAre) {
  request_.command = {"printf", "<%s>"};
  std::string expected;
  for (const std::string& text : nasty_strings()) {
    request_.command.push_back(text + "{task}");
    expected += "<" + text + "second>";
  }
  const CommandResult result = run();
  EXPECT_EQ(result.code, 0) << result.error;
  EXPECT_THAT(result.output, HasSubstr(expected));
}

TEST_F(BatchScript, NastyFoldersWork) {
  request_.folder = folder_ / "it's $(touch injected) \"q\" `id` %A ; a\\b";
  request_.progress = (request_.folder / "{task}").string();
  request_.staging = folder_ / "fast $(touch injected) 'disk'";
  request_.command = {"bash", "-c", "touch \"$1/x\"; echo at \"$1\"; exit 76", "x", "{staging}"};
  const CommandResult result = run();
  EXPECT_EQ(result.code, 76) << result.error;
  EXPECT_EQ(result.error, "");
  EXPECT_THAT(result.output, HasSubstr("at " + request_.staging.string() + "/lacuna-40-"));
  EXPECT_TRUE(fs::is_empty(request_.staging));
  EXPECT_TRUE(fs::exists(request_.folder / "study.lost" / "second"));
  EXPECT_FALSE(fs::exists("injected"));
}

TEST_F(BatchScript, AStagingDirectoryThatCannotBeMadeIsAnErrorBeforeTheStart) {
  request_.staging = "/proc/nowhere";
  request_.command = {"echo", "started", "{staging}"};
  const CommandResult result = run();
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.output, HasSubstr("change the staging directory"));
  EXPECT_THAT(result.output, Not(HasSubstr("started")));
}

TEST_F(BatchScript, OnlyCodes75And76AreRequeuedAndByTheIdOfTheTask) {
  for (const int code : {0, 1, 2, 77, 137}) {
    command("exit " + std::to_string(code));
    EXPECT_EQ(run().code, code);
    EXPECT_FALSE(fs::exists(folder_ / "calls")) << code;
  }
  for (const int code : {75, 76}) {
    command("exit " + std::to_string(code));
    EXPECT_EQ(run().code, code);
    EXPECT_EQ(read_text(folder_ / "calls"), "show job -o 40_1\nrequeue 40_1\n") << code;
  }
}

TEST_F(BatchScript, ACancelledJobIsNotBroughtBackToLifeButOneAtItsTimeLimitIs) {
  command("exit 75");
  state("JobState=COMPLETING Reason=None Requeue=1 Restarts=0 BatchFlag=1");
  EXPECT_EQ(run().code, 75);
  EXPECT_FALSE(requeued());
  state("JobState=COMPLETING Reason=TimeLimit Requeue=1 Restarts=0 BatchFlag=1");
  EXPECT_EQ(run().code, 75);
  EXPECT_TRUE(requeued());
}

TEST_F(BatchScript, OneThatALostNodeStillRunsDoesNotRequeueItsSuccessor) {
  command("exit 75");
  state("JobState=RUNNING Reason=None Requeue=1 Restarts=1 BatchFlag=1");
  EXPECT_EQ(run(1, 0).code, 75);
  EXPECT_FALSE(requeued());
  state("JobState=RUNNING Reason=None Requeue=1 Restarts=11 BatchFlag=1");
  EXPECT_EQ(run(1, 1).code, 75);
  EXPECT_FALSE(requeued());
}

TEST_F(BatchScript, RequeuesAreCounted) {
  request_.max_requeues = 2;
  command("exit 75");
  state("JobState=RUNNING Reason=None Requeue=1 Restarts=1 BatchFlag=1");
  run(1, 1);
  EXPECT_TRUE(requeued());
  state("JobState=RUNNING Reason=None Requeue=1 Restarts=2 BatchFlag=1");
  const CommandResult result = run(1, 2);
  EXPECT_EQ(result.code, 75);
  EXPECT_FALSE(requeued());
  EXPECT_THAT(result.output, HasSubstr("restarted 2 times (2 are allowed): not requeued"));
}

TEST_F(BatchScript, LosingRanksTwiceAtTheSameCheckpointIsTheEnd) {
  request_.progress = folder_.text("runs/{task}/checkpoints");
  const fs::path checkpoints = folder_ / "runs/second/checkpoints";
  fs::create_directories(checkpoints / "step-00000010");
  command("exit 76");
  run();
  EXPECT_TRUE(requeued());
  fs::create_directories(checkpoints / "step-00000020");
  state("JobState=RUNNING Reason=None Requeue=1 Restarts=1 BatchFlag=1");
  run(1, 1);
  EXPECT_TRUE(requeued());                                        // it got further in between
  fs::create_directories(checkpoints / "step-00000030.partial");  // not a checkpoint yet
  const CommandResult result = run(1, 2);
  EXPECT_EQ(result.code, 76);
  EXPECT_FALSE(requeued());
  EXPECT_THAT(result.output, HasSubstr("lost twice at the same checkpoint (step-00000020)"));
}

TEST_F(BatchScript, ARefusedRequeueIsTriedAgainAndThenExplained) {
  std::ofstream(folder_ / "refusals") << 1;
  command("exit 75");
  const CommandResult result = run();
  EXPECT_EQ(result.code, 75);
  EXPECT_EQ(read_text(folder_ / "calls"),
            "show job -o 40_1\nrequeue 40_1\nrequeue 40_1\nrequeue 40_1\n");
  EXPECT_THAT(result.output, HasSubstr("lacuna sweep retry"));
}

TEST_F(BatchScript, AControllerThatTimesOutLosesNothing) {
  std::ofstream(folder_ / "timeouts") << "1\n2\n";
  command("exit 75");
  const CommandResult result = run();
  EXPECT_EQ(result.code, 75);
  EXPECT_EQ(read_text(folder_ / "calls"),
            "show job -o 40_1\nshow job -o 40_1\nshow job -o 40_1\nrequeue 40_1\n");
  EXPECT_THAT(result.output, HasSubstr("Socket timed out"));
}

TEST_F(BatchScript, TheStagingDirectoryIsForItsOwnerAlone) {
  request_.staging = folder_ / "disk";
  request_.command = {"bash", "-c", "echo mode $(stat -c '%a %F %u' \"$1\")", "x", "{staging}"};
  EXPECT_THAT(run().output, HasSubstr("mode 700 directory " + std::to_string(::geteuid())));
}

TEST_F(BatchScript, SignalsAreHandedOnAsUsr2AndTheWaitGoesOn) {
  // Ends only after the second signal, with a code of its own.
  command(
      "trap 'n=$((n+1)); touch got$n' USR2; n=0; touch \"$0\"; "
      "until [ $n = 2 ]; do :; done; exit 75");
  request_.command.push_back(folder_.text("up"));
  request_.command[2] = "cd " + folder_.path().string() + "; " + request_.command[2];
  for (const int signal : {SIGUSR2, SIGTERM}) {
    for (const char* name : {"up", "got1", "got2", "calls"}) fs::remove(folder_ / name);
    ChildOptions options = start(1, 0);
    options.capture_output = options.capture_error = true;
    ChildProcess script(options);
    const auto until = [&](const std::string& name) {
      for (int i = 0; i < 3000 && !fs::exists(folder_ / name); ++i) script.wait(0.01);
      EXPECT_TRUE(fs::exists(folder_ / name)) << script.take_output() << script.take_error();
    };
    until("up");
    script.signal(signal);
    until("got1");
    script.signal(signal);
    EXPECT_EQ(script.wait(kLong), 75);
    EXPECT_TRUE(requeued());
    EXPECT_EQ(script.take_error(), "");
  }
}

TEST_F(BatchScript, ACodeIsNotLostWhenSlurmSignalsEverybodyAtOnce) {
  // Not 75, which a lost code becomes.
  command("trap 'exit 77' USR2 TERM; touch \"$0\"; while :; do sleep 0.01; done");
  request_.command.push_back(folder_.text("up"));
  for (int i = 0; i < 10; ++i) {
    fs::remove(folder_ / "up");
    ChildOptions options = start(1, 0);
    options.capture_output = options.capture_error = true;
    ChildProcess script(options);
    for (int wait = 0; wait < 3000 && !fs::exists(folder_ / "up"); ++wait) script.wait(0.01);
    ::kill(-script.pid(), SIGTERM);  // its group: the script and what it started
    EXPECT_EQ(script.wait(kLong), 77) << script.take_output();
  }
}

TEST_F(BatchScript, AProgramThatCannotListenYetCountsAsStopped) {
  command("touch \"$0\"; while :; do :; done");  // USR2 kills it
  request_.command.push_back(folder_.text("up"));
  ChildOptions options = start(1, 0);
  options.capture_output = options.capture_error = true;
  ChildProcess script(options);
  for (int i = 0; i < 3000 && !fs::exists(folder_ / "up"); ++i) script.wait(0.01);
  script.signal(SIGUSR2);
  EXPECT_EQ(script.wait(kLong), 75);
  EXPECT_TRUE(requeued());
}

TEST_F(BatchScript, TheLinesForSbatchSayWhatWasAskedFor) {
  request_.throttle = 2;
  request_.after = {"7", "12"};
  request_.signal_seconds = 240;
  request_.resources = {"gpu", "brain", "h100|a100", "04:00:00", "64G", 2, 6, 1, 8, {"--qos=high"}};
  const std::string text = slurm::batch_script(request_);
  EXPECT_THAT(text, HasSubstr("\n#SBATCH --qos=high\n"
                              "#SBATCH --partition=gpu\n"
                              "#SBATCH --account=brain\n"
                              "#SBATCH --constraint=h100|a100\n"
                              "#SBATCH --time=04:00:00\n"
                              "#SBATCH --mem=64G\n"
                              "#SBATCH --nodes=2 --ntasks=6 --ntasks-per-node=3 "
                              "--cpus-per-task=8\n"
                              "#SBATCH --gres=gpu:3\n"
                              "#SBATCH --job-name=study\n"
                              "#SBATCH --array=0-2%2\n"
                              "#SBATCH --dependency=afterany:7:12\n"
                              "#SBATCH --requeue --open-mode=append --signal=B:USR2@240\n"));
}

TEST_F(BatchScript, RanksThatDoNotDivideEvenlyHaveRoomOnTheirNodes) {
  request_.resources.nodes = 2;
  request_.resources.ranks = 5;
  request_.resources.gpus_per_rank = 2;
  EXPECT_THAT(slurm::batch_script(request_),
              HasSubstr("--nodes=2 --ntasks=5 --ntasks-per-node=3 --cpus-per-task=1\n"
                        "#SBATCH --gres=gpu:6\n"));
}

TEST_F(BatchScript, AScriptIsShortEnoughToRead) {
  request_.staging = "/tmp";
  request_.progress = "/p/{task}";
  request_.command.push_back("{staging}");
  const std::string text = slurm::batch_script(request_);
  std::istringstream lines(text);
  int code = 0;
  for (std::string line; std::getline(lines, line);) code += !line.starts_with('#');
  EXPECT_LE(code, 10);
}

TEST_F(BatchScript, ThePercentSignOfAPathIsNoPattern) {
  request_.logs = "/a %j/b";
  EXPECT_EQ(slurm::submit_command(request_)[2], "--output=/a %%j/b/%A_%a.log");
}

TEST_F(BatchScript, NamesMayHoldEveryLetterAndDigitUpToTheirLength) {
  request_.name = "azAZ09._-" + std::string(91, 'z');
  request_.tasks = {"Z" + std::string(199, '9')};
  EXPECT_NO_THROW(slurm::batch_script(request_));
  request_.name += "z";
  EXPECT_THROW(slurm::batch_script(request_), ConfigError);
}

TEST_F(BatchScript, WhatCannotBeWrittenSafelyIsRefused) {
  const slurm::ArrayRequest good = request_;
  const auto refused = [&](const auto& change) {
    slurm::ArrayRequest request = good;
    change(request);
    EXPECT_THROW(slurm::batch_script(request), ConfigError);
  };
  for (const std::string& text : nasty_strings()) {
    refused([&](auto& r) { r.name = text; });
    refused([&](auto& r) { r.tasks[1] = text; });
    if (text != "-rf") refused([&](auto& r) { r.resources.extra = {text}; });
    refused([&](auto& r) { r.after = {text}; });
  }
  for (const std::string text : {"a b", "a\n#SBATCH --uid=0", "it's", "\"", "a\\b", "#", "\x80"}) {
    refused([&](auto& r) { r.resources.partition = text; });
    refused([&](auto& r) { r.resources.account = text; });
    refused([&](auto& r) { r.resources.constraint = text; });
    refused([&](auto& r) { r.resources.time = text; });
    refused([&](auto& r) { r.resources.memory = text; });
  }
  for (const std::string text :
       {"--array=1-3", "--arr=0-1", "-a1", "--output=/x", "--signal=TERM@9", "--no-requeue",
        "--qos=a\n--uid=0", "qos=high", "--", "-", "", "--wrap=id"}) {
    refused([&](auto& r) { r.resources.extra = {text}; });
  }
  refused([](auto& r) {
    r.resources.gpus_per_rank = 1;
    r.resources.extra = {"--gres=gpu:8"};
  });
  refused([](auto& r) { r.tasks.clear(); });
  refused([](auto& r) { r.command.clear(); });
  refused([](auto& r) { r.folder = "relative"; });
  refused([](auto& r) { r.folder = "/a\nb"; });
  refused([](auto& r) { r.logs = "/a\\b"; });
  refused([](auto& r) { r.command = {"x", "{staging}"}; });
  refused([](auto& r) { r.command = {std::string("a\0b", 3)}; });
  refused([](auto& r) { r.resources.nodes = 0; });
  refused([](auto& r) { r.resources.nodes = 3, r.resources.ranks = 2; });
  refused([](auto& r) { r.throttle = -1; });
  for (const std::string text : {"--gres=shard:1", "--exclusive", "--export=ALL,A=b",
                                 "--comment=two words", "-w n1", "--nodelist=n1"}) {
    request_.resources.extra = {text};
    EXPECT_THAT(slurm::batch_script(request_), HasSubstr("\n#SBATCH " + text + "\n"));
  }
}

}  // namespace
}  // namespace lacuna::tests
