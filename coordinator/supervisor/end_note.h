// log/rank-N.end: how a rank of a run ended, in its own words, for whoever decides what comes next.
// One JSON object: rank, host, pid, code, signal, reason, time. A rank that was killed (SIGKILL)
// leaves none.
#pragma once

#include <string>
#include <vector>

#include "base/files/file_system.h"

namespace lacuna::coordinator {

struct EndNote {
  int rank = 0;
  std::string host;
  int code = 0;        // its exit code, when no signal ended it
  int signal = 0;      // that ended it, or 0
  std::string reason;  // for people; may be empty
};

// Writes the note of this process, and `reason` into log/rank-N.log if it is not empty. Never waits
// for storage for longer than some seconds, and never keeps the process from ending (run_detached);
// nothing is written where the run directory has no log/ yet.
void leave_end_note(const Path& run_directory, int rank, int code, const std::string& reason);

// From now on a fatal signal (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT) leaves a note, too, and
// then does what it did before. One run directory per process.
void note_fatal_signals(const Path& run_directory, int rank);

// Makes log/ and removes the notes of an earlier start.
void clear_end_notes(const Path& run_directory);
// How many there are: one look at the directory.
int count_end_notes(const Path& run_directory);
// In rank order; what is no note is passed over.
std::vector<EndNote> read_end_notes(const Path& run_directory);

}  // namespace lacuna::coordinator
