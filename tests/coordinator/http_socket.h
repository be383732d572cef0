// A bare client socket that sends what a test wants, well-formed or not.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lacuna {

class HttpSocket {
 public:
  explicit HttpSocket(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      ::close(socket_);
      throw std::runtime_error("cannot connect");
    }
  }
  ~HttpSocket() { ::close(socket_); }
  HttpSocket(const HttpSocket&) = delete;
  HttpSocket& operator=(const HttpSocket&) = delete;

  // False when the other side has closed.
  bool send(const std::string& bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
      const ssize_t n = ::send(socket_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (n <= 0) return false;
      at += static_cast<std::size_t>(n);
    }
    return true;
  }
  void shut() { ::shutdown(socket_, SHUT_WR); }

  // Everything until the other side closes, or nothing comes for the patience.
  std::string receive(int patience_ms = 10'000) {
    std::string all;
    char buffer[4096];
    for (;;) {
      pollfd ready{socket_, POLLIN, 0};
      if (::poll(&ready, 1, patience_ms) <= 0) return all + "<still open>";
      const ssize_t n = ::recv(socket_, buffer, sizeof buffer, 0);
      if (n <= 0) return all;
      all.append(buffer, static_cast<std::size_t>(n));
    }
  }

 private:
  int socket_;
};

// How many entries a directory of /proc/self has: open files ("fd"), threads ("task").
inline std::ptrdiff_t own_count(const char* what) {
  const std::filesystem::directory_iterator all(std::string("/proc/self/") + what), end;
  return std::distance(begin(all), end);
}

}  // namespace lacuna
