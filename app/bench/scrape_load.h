// Processes that ask an address of this host for /metrics, for the bench: many times per second, or
// without ever reading the answer.
//
// Made before the process has other threads (they are forked). Not thread-safe. Throws Error when
// a process cannot be made.
#pragma once

#include <vector>

#include <sched.h>
#include <sys/types.h>

namespace lacuna::app {

class ScrapeLoad {
 public:
  // They stay on `cores`, as another machine has cores of its own.
  ScrapeLoad(int processes, const cpu_set_t& cores);
  ~ScrapeLoad();  // ends them
  ScrapeLoad(const ScrapeLoad&) = delete;
  ScrapeLoad& operator=(const ScrapeLoad&) = delete;

  // Together `per_second` scrapes of the port of loopback, evenly spaced; 0: each process holds
  // connections open that ask and never read.
  void start(int port, double per_second);
  struct Scrapes {
    long asked = 0, answered = 0;  // in full, within the interval of a process
  };
  // Those since start().
  Scrapes stop();

 private:
  struct Client {
    pid_t pid;
    int orders, answers;  // pipes
  };
  std::vector<Client> clients_;
};

}  // namespace lacuna::app
