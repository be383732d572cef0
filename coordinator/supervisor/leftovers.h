// What an attempt to run ranks may leave on this host when it is killed: processes and shared
// memory. Both are found by the id of the run, so nothing of anybody else is touched; the caller
// makes sure that it is the only supervisor of that run (supervisor.h).
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace lacuna::coordinator {

// The variable that marks every process of a run; they inherit it from the launcher.
inline constexpr const char* kRunIdVariable = "LACUNA_RUN_ID";

// Ids of the processes of this host that carry the mark, but for this one and zombies.
std::vector<pid_t> processes_of(const std::string& run_id);

struct RankProcess {
  pid_t pid = 0;
  int rank = 0;
  char state = '?';  // as process_state()
};
// Those of them that a launcher started as ranks, in no order.
std::vector<RankProcess> rank_processes_of(const std::string& run_id);

// Waits up to `patience` seconds for them to leave by themselves, then kills them and waits until
// they are gone, for ten seconds at most. Returns how many had to be killed. Throws Error (76) when
// one does not go (it hangs in the kernel).
int end_processes_of(const std::string& run_id, double patience);

// A directory in memory (/dev/shm) for the shared memory of a run's ranks on this host. Empty when
// made; removed with all that is in it. path() is empty where there is no /dev/shm for us. It is
// locked while the object lives, so that sweep_scratch() of another process leaves it alone.
class SharedScratch {
 public:
  explicit SharedScratch(const std::string& run_id);
  ~SharedScratch();
  SharedScratch(const SharedScratch&) = delete;
  SharedScratch& operator=(const SharedScratch&) = delete;

  const std::string& path() const { return path_; }
  void clear();  // no process of the run may live any more

 private:
  std::string path_;
  int lock_ = -1;
};

// Removes what supervisors of this user that were killed have left in /dev/shm: directories of
// SharedScratch that nobody holds and whose run has no process here. Returns how many.
int sweep_scratch();

}  // namespace lacuna::coordinator
