#include "app/scrape_load.h"

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

// A socket that has sent its request, if it could by then.
int ask(int port, Clock::time_point until) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<std::uint16_t>(port));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 ||
      ready(socket, POLLOUT, until)) {
    (void)!::write(socket, kRequest.data(), kRequest.size());
  }
  return socket;
}

// Whether the answer came by then; nobody waits longer, so that the rate stays what it should be.
bool scrape(int port, Clock::time_point until) {
  const int socket = ask(port, until);
  char buffer[65536];
  long bytes = 0;
  ssize_t got = 1;
  while (got > 0 && ready(socket, POLLIN, until)) {
    got = ::read(socket, buffer, sizeof buffer);
    bytes += std::max<ssize_t>(0, got);
  }
  ::close(socket);
  return got == 0 && bytes > 1000;
}

bool ordered(int orders) { return ready(orders, POLLIN, Clock::now()); }

// Until the next order is there.
long work(const Order& order, int orders) {
  long answered = 0;
  if (order.per_second == 0) {
    int sockets[kStuckConnections];
    for (int& each : sockets) each = ask(order.port, Clock::now() + std::chrono::seconds(1));
    pollfd waiting{orders, POLLIN, 0};
    (void)::poll(&waiting, 1, -1);
    for (const int each : sockets) ::close(each);
    return answered;
  }
  const auto pause = std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(1 / order.per_second));
  for (auto next = Clock::now(); !ordered(orders); next += pause) {
    next = std::max(next, Clock::now() - std::chrono::milliseconds(100));  // no endless catching up
    std::this_thread::sleep_until(next);
    answered += scrape(order.port, next + pause);
  }
  return answered;
}

[[noreturn]] void serve(int orders, int answers) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGPIPE, SIG_IGN);
  // It stands for another machine: it must not take the processor from the training.
  (void)!::nice(19);
  Order order;
  while (::read(orders, &order, sizeof order) == sizeof order) {
    const long answered = order.port ? work(order, orders) : 0;
    if (order.port && ::write(answers, &answered, sizeof answered) != sizeof answered) break;
  }
  ::_exit(0);
}

}  // namespace

ScrapeLoad::ScrapeLoad(int processes) {
  for (int i = 0; i < processes; ++i) {
    int orders[2], answers[2];
    if (::pipe(orders) != 0 || ::pipe(answers) != 0) {
      throw_error<Error>("cannot make a pipe: {}", std::strerror(errno));
    }
    const pid_t pid = ::fork();
    if (pid < 0) throw_error<Error>("cannot make a process: {}", std::strerror(errno));
    if (pid == 0) {
      ::close(orders[1]);
      serve(orders[0], answers[1]);
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

long ScrapeLoad::stop() {
  const Order none;
  long total = 0;
  for (const Client& each : clients_) (void)!::write(each.orders, &none, sizeof none);
  for (const Client& each : clients_) {
    long answered = 0;
    if (::read(each.answers, &answered, sizeof answered) == sizeof answered) total += answered;
  }
  return total;
}

}  // namespace lacuna::app
