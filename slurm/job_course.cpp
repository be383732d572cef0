#include "slurm/job_course.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files/file_system.h"
#include "base/process/child_process.h"
#include "base/text/log.h"

namespace lacuna::slurm {
namespace {

namespace fs = std::filesystem;
using Kind = SchedulerError::Kind;

constexpr int kRefusals = 3;          // of a requeue: within the second of a start SLURM refuses it
constexpr double kNodeDeadline = 60;  // seconds for a command on all nodes

// Name of the newest checkpoint; "none".
std::string newest(const fs::path& directory) {
  std::string last = "none";
  std::error_code ignored;
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename();
    if (!name.ends_with(".partial") && !name.starts_with('.')) names.push_back(name);
  }
  if (!names.empty()) last = *std::max_element(names.begin(), names.end());
  return last;
}

// After a loss of ranks: whether it got further since the loss before, which is written down.
bool got_further(const JobSettings& job, const Say& say) {
  if (job.progress.empty()) return true;
  const std::string now = newest(job.progress);
  const fs::path note = job.losses / job.task;
  std::string before;
  std::getline(std::ifstream(note), before);
  if (before == now) {
    say(fmt::format("ranks were lost twice at the same checkpoint ({}): not requeued", now));
    return false;
  }
  try {
    posix_file_system().make_directories(job.losses);
    write_durably(posix_file_system(), note, now + "\n");
  } catch (const DataError& error) {
    say(error.what());  // it costs the memory of this loss alone
  }
  return true;
}

bool is_silence(Kind kind) { return kind != Kind::kRefused; }

// Calls `ask` again and again while there is no answer. False when it was refused or patience ends.
class Questions {
 public:
  Questions(const JobSettings& job, const Say& say, const std::function<void(double)>& sleep)
      : job_(job), say_(say), sleep_(sleep) {}

  // Whether to ask once more after this error.
  bool again(const SchedulerError& error) {
    say_(error.what());
    if (waited_ >= job_.patience) return false;
    // A busy controller is not helped by thousands of tasks that ask every five seconds.
    sleep_(pause_);
    waited_ += pause_;
    pause_ = std::min(2 * pause_, 60 * std::max(job_.pause, 1e-3));
    return true;
  }

 private:
  const JobSettings& job_;
  const Say& say_;
  const std::function<void(double)>& sleep_;
  double waited_ = 0, pause_ = job_.pause;
};

}  // namespace

bool requeue_if_wanted(int code, const JobSettings& job, Scheduler& scheduler, const Say& say,
                       const std::function<void(double seconds)>& sleep) {
  const bool saved = code == static_cast<int>(ExitCode::kSavedOnRequest);
  const bool lost = code == static_cast<int>(ExitCode::kPeerLost);
  if (!saved && !lost) return false;
  if (lost && !got_further(job, say)) return false;
  if (job.restarts >= job.max_requeues) {
    say(fmt::format("it has been restarted {} times ({} are allowed): not requeued", job.restarts,
                    job.max_requeues));
    return false;
  }
  Questions questions(job, say, sleep);
  int refusals = 0;
  for (bool ours = false;;) {
    try {
      // Asked anew after silence: the requeue may have been done all the same.
      if (!ours && scheduler.fate(job.id, job.restarts) == TaskFate::kTaken) {
        say("SLURM ends or restarts this job itself: not requeued from here");
        return false;
      }
      ours = true;
      scheduler.requeue(job.id);
      return true;
    } catch (const SchedulerError& error) {
      if (is_silence(error.kind())) {
        ours = false;
        if (questions.again(error)) continue;
        say("SLURM does not answer: not requeued. Go on with: lacuna sweep submit");
        return false;
      }
      say(error.what());
      if (!ours || ++refusals >= kRefusals) break;
      sleep(job.pause);
    }
  }
  say("SLURM does not requeue it (its words above). Go on with: lacuna sweep retry");
  return false;
}

namespace {

std::string random_digits() {
  unsigned char bytes[8]{};
  if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
    throw_error<Error>("no random numbers: {}", std::strerror(errno));
  }
  std::string digits;
  for (const unsigned char byte : bytes) digits += fmt::format("{:02x}", byte);
  return digits;
}

CommandResult on_all_nodes(int nodes, std::vector<std::string> command) {
  std::vector<std::string> all = {"srun", "--mpi=none", fmt::format("--nodes={}", nodes),
                                  fmt::format("--ntasks={}", nodes), "--ntasks-per-node=1"};
  all.insert(all.end(), command.begin(), command.end());
  return run_command({all}, kNodeDeadline);
}

// A directory, no link, of this user and for him alone.
bool is_private(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  struct stat info {};
  const bool ours = file >= 0 && ::fstat(file, &info) == 0 && info.st_uid == ::geteuid() &&
                    (info.st_mode & 0777) == 0700;
  if (file >= 0) ::close(file);
  return ours;
}

[[noreturn]] void cannot_be_made(const fs::path& path, const std::string& why) {
  throw_error<DataError>(
      "{} cannot be made: {}. Please change the staging directory "
      "(resources.staging).",
      path.string(), why);
}

}  // namespace

StagingDirectory::StagingDirectory(const fs::path& base, const std::string& job, int nodes)
    : path_(base / fmt::format("lacuna-{}-{}", job, random_digits())), nodes_(nodes) {
  // Never one that is there already: whoever made it could read, or exchange, what comes into it.
  if (nodes_ > 1) {
    const CommandResult made = on_all_nodes(nodes_, {"mkdir", "-m", "700", "--", path_.string()});
    if (made.code != 0) {
      cannot_be_made(path_, made.code ? made.error : "no answer of all nodes within a minute");
    }
  } else {
    std::error_code failed;
    fs::create_directories(base, failed);
    if (::mkdir(path_.c_str(), 0700) != 0) cannot_be_made(path_, std::strerror(errno));
  }
  if (!is_private(path_)) cannot_be_made(path_, "it belongs to somebody else");
}

StagingDirectory::~StagingDirectory() {
  try {
    if (nodes_ > 1) {
      on_all_nodes(nodes_, {"rm", "-rf", "--", path_.string()});
    } else {
      std::error_code ignored;
      fs::remove_all(path_, ignored);
    }
  } catch (const std::exception& error) {
    log::warn("{} may be left on its nodes: {}", path_.string(), error.what());
  }
}

}  // namespace lacuna::slurm
