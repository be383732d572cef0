// Processes that ask an address of this host for /metrics, for the bench: many times per second, or
// without ever reading the answer.
//
// Made before the process has other threads (they are forked). Not thread-safe. Throws Error when
// a process cannot be made.
#pragma once

#include <vector>

#include <sys/types.h>

namespace lacuna::app {

class ScrapeLoad {
 public:
  explicit ScrapeLoad(int processes);
  ~ScrapeLoad();  // ends them
  ScrapeLoad(const ScrapeLoad&) = delete;
  ScrapeLoad& operator=(const ScrapeLoad&) = delete;

  // Together `per_second` scrapes of the port of loopback, evenly spaced; 0: each process holds
  // connections open that ask and never read.
  void start(int port, double per_second);
  // Gives how many scrapes were answered in full since start().
  long stop();

 private:
  struct Client {
    pid_t pid;
    int orders, answers;  // pipes
  };
  std::vector<Client> clients_;
};

}  // namespace lacuna::app
