// What the HTTP servers of a process share: a port, and a thread of its own that accepts and
// serves.
//
// Connections are their server's own: each accepted socket is handed over on the listener's thread,
// the only one that runs their handlers. An exception that leaves a handler is logged and ends
// nothing. Include it from the sources of servers only: here Asio shows.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "coordinator/http/pace.h"

namespace lacuna::coordinator {

inline std::chrono::nanoseconds to_duration(double seconds) {
  return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

class HttpListener {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  struct Thread {
    const char* name;  // of the thread, and in the log
    int niceness = 0;
    Pace pace{0, 0};  // of new connections; what comes faster waits in the kernel
  };

  // Listens from here on; port 0: any free one. Throws Error when the address cannot be used.
  // `accepted` and all that it refers to must outlive the object.
  HttpListener(const std::string& address, int port, Thread thread,
               std::function<void(Socket)> accepted);
  ~HttpListener();  // closes every connection and frees the port
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;

  int port() const { return port_; }

 private:
  void listen(const std::string& address, int port);
  void accept();
  void accept_after(std::chrono::nanoseconds pause);
  void serve();

  Thread about_;
  const std::function<void(Socket)> accepted_;
  boost::asio::io_context context_{1};
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer pause_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace lacuna::coordinator
