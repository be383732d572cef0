#include "coordinator/supervisor/end_note.h"

#include <csignal>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files/temporary_directory.h"
#include "base/process/host.h"

namespace lacuna::coordinator {
namespace {

using ::testing::EndsWith;

TEST(EndNote, TellsCodeAndReasonOfEachRankAndTheLogHasThemToo) {
  const TemporaryDirectory run;
  clear_end_notes(run.path());
  leave_end_note(run.path(), 10, 76, "rank 1 is \"gone\"\nfor good");
  leave_end_note(run.path(), 2, 0, "");
  std::ofstream(run / "log" / "rank-3.end") << "{\"rank\": 3";  // torn
  std::ofstream(run / "log" / "rank-4.log") << "{\"rank\": 4}";
  const auto notes = read_end_notes(run.path());
  ASSERT_EQ(notes.size(), 2u);
  EXPECT_EQ(notes[0].rank, 2);
  EXPECT_EQ(notes[0].code, 0);
  EXPECT_EQ(notes[1].rank, 10);
  EXPECT_EQ(notes[1].code, 76);
  EXPECT_EQ(notes[1].signal, 0);
  EXPECT_EQ(notes[1].host, host_name());
  EXPECT_EQ(notes[1].reason, "rank 1 is \"gone\"\nfor good");
  std::ifstream log(run / "log" / "rank-10.log");
  std::string line;
  std::getline(log, line);
  EXPECT_THAT(line, EndsWith(" error rank 1 is \"gone\""));
  leave_end_note(run.path(), 10, 75, "");  // the last word counts
  EXPECT_EQ(read_end_notes(run.path())[1].code, 75);
  clear_end_notes(run.path());
  EXPECT_TRUE(read_end_notes(run.path()).empty());
  EXPECT_TRUE(std::filesystem::exists(run / "log" / "rank-4.log"));
}

TEST(EndNote, WithoutALogDirectoryNothingIsWritten) {
  const TemporaryDirectory run;
  leave_end_note(run.path(), 0, 1, "refused");
  EXPECT_TRUE(std::filesystem::is_empty(run.path()));
  EXPECT_TRUE(read_end_notes(run / "nowhere").empty());
}

TEST(EndNote, AFatalSignalLeavesOneAndEndsTheProcessAllTheSame) {
  for (const int number : {SIGSEGV, SIGABRT, SIGBUS}) {
    const TemporaryDirectory run;
    clear_end_notes(run.path());
    const pid_t child = ::fork();
    if (child == 0) {
      ::signal(number, SIG_DFL);  // whatever a sanitizer has put there
      note_fatal_signals(run.path(), 5);
      ::raise(number);
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    // raise() does not repeat: the process goes on to its end. A real fault would come again.
    const auto notes = read_end_notes(run.path());
    ASSERT_EQ(notes.size(), 1u) << number;
    EXPECT_EQ(notes[0].rank, 5);
    EXPECT_EQ(notes[0].signal, number);
  }
  const TemporaryDirectory run;
  clear_end_notes(run.path());
  const pid_t child = ::fork();
  if (child == 0) {
    note_fatal_signals(run.path(), 0);
    ::signal(SIGALRM, SIG_DFL);
    ::abort();
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  EXPECT_EQ(read_end_notes(run.path()).at(0).signal, SIGABRT);
}

}  // namespace
}  // namespace lacuna::coordinator
