#include "app/bench/scrape_load.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <string_view>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

namespace lacuna::app {
namespace {

using Clock = std::chrono::steady_clock;

struct Order {
  int port = 0;  // 0: stop and tell
  double per_second = 0;
};

constexpr int kStuckConnections = 8;  // per process
constexpr std::string_view kRequest =
    "GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";

bool ready(int descriptor, short what, Clock::time_point until) {
  pollfd waiting{descriptor, what, 0};
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
  return ::poll(&waiting, 1, static_cast<int>(std::max<long>(0, left.count()))) > 0;
}

struct Asked {
  int socket;
  bool sent;
};

// Sends a request, if that can be done by then.
Asked ask(int port, Clock::time_point until) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<std::uint16_t>(port));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool connected = ::connect(socket, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 ||
                         ready(socket, POLLOUT, until);
  return {socket, connected && ::write(socket, kRequest.data(), kRequest.size()) > 0};
}

// Nobody waits for an answer longer than that, so that the rate stays what it should be.
void scrape(int port, Clock::time_point until, ScrapeLoad::Scrapes& count) {
  const auto [socket, sent] = ask(port, until);
  char buffer[65536];
  long bytes = 0;
  ssize_t got = 1;
  while (got > 0 && ready(socket, POLLIN, until)) {
    got = ::read(socket, buffer, sizeof buffer);
    bytes += std::max<ssize_t>(0, got);
  }
  ::close(socket);
  count.asked += sent ? 1 : 0;
  count.answered += got == 0 && bytes > 1000 ? 1 : 0;
}

bool ordered(int orders) { return ready(orders, POLLIN, Clock::now()); }

// Until the next order is there.
ScrapeLoad::Scrapes work(const Order& order, int orders) {
  ScrapeLoad::Scrapes count;
  if (order.per_second == 0) {
    int sockets[kStuckConnections];
    for (int& each : sockets) {
      each = ask(order.port, Clock::now() + std::chrono::seconds(1)).socket;
    }
    pollfd waiting{orders, POLLIN, 0};
    (void)::poll(&waiting, 1, -1);
    for (const int each : sockets) ::close(each);
    return count;
  }
  const auto pause = std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(1 / order.per_second));
  for (auto next = Clock::now(); !ordered(orders); next += pause) {
    next = std::max(next, Clock::now() - std::chrono::milliseconds(100));  // no endless catching up
    std::this_thread::sleep_until(next);
    scrape(order.port, next + pause, count);
  }
  return count;
}

[[noreturn]] void serve(int orders, int answers, const cpu_set_t& cores) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGPIPE, SIG_IGN);
  // It stands for another machine: it must not take the processor from the training.
  ::sched_setaffinity(0, sizeof cores, &cores);
  (void)!::nice(19);
  Order order;
  while (::read(orders, &order, sizeof order) == sizeof order) {
    if (order.port == 0) continue;
    const ScrapeLoad::Scrapes count = work(order, orders);
    if (::write(answers, &count, sizeof count) != sizeof count) break;
  }
  ::_exit(0);
}

}  // namespace

ScrapeLoad::ScrapeLoad(int processes, const cpu_set_t& cores) {
  for (int i = 0; i < processes; ++i) {
    int orders[2], answers[2];
    if (::pipe(orders) != 0 || ::pipe(answers) != 0) {
      throw_error<Error>("cannot make a pipe: {}", std::strerror(errno));
    }
    const pid_t pid = ::fork();
    if (pid < 0) throw_error<Error>("cannot make a process: {}", std::strerror(errno));
    if (pid == 0) {
      ::close(orders[1]);
      serve(orders[0], answers[1], cores);
    }
    ::close(orders[0]);
    ::close(answers[1]);
    clients_.push_back({pid, orders[1], answers[0]});
  }
}

ScrapeLoad::~ScrapeLoad() {
  for (const Client& each : clients_) {
    ::kill(each.pid, SIGKILL);
    ::waitpid(each.pid, nullptr, 0);
    ::close(each.orders);
    ::close(each.answers);
  }
}

void ScrapeLoad::start(int port, double per_second) {
  const Order order{port, per_second / static_cast<double>(clients_.size())};
  for (const Client& each : clients_) (void)!::write(each.orders, &order, sizeof order);
}

ScrapeLoad::Scrapes ScrapeLoad::stop() {
  const Order none;
  Scrapes total;
  for (const Client& each : clients_) (void)!::write(each.orders, &none, sizeof none);
  for (const Client& each : clients_) {
    Scrapes count;
    if (::read(each.answers, &count, sizeof count) != sizeof count) continue;
    total.asked += count.asked;
    total.answered += count.answered;
  }
  return total;
}

}  // namespace lacuna::app
