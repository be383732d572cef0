#include "coordinator/http/http_listener.h"

#include <chrono>
#include <utility>

#include <boost/asio/ip/address.hpp>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "base/process/thread_name.h"
#include "base/text/log.h"

namespace lacuna::coordinator {
namespace {

// Connections that wait in the kernel. Few, so that a client that comes after a flood of them has
// its turn soon.
constexpr int kBacklog = 64;

void close_on_exec(int descriptor) { ::fcntl(descriptor, F_SETFD, FD_CLOEXEC); }

}  // namespace

HttpListener::HttpListener(const std::string& address, int port, Thread thread,
                           std::function<void(Socket)> accepted)
    : about_(thread), accepted_(std::move(accepted)), acceptor_(context_), pause_(context_) {
  try {
    listen(address, port);
  } catch (const boost::system::system_error& error) {
    throw_error<Error>("cannot listen on {} port {}: {}", address, port, error.code().message());
  }
  thread_ = std::thread([this] { serve(); });
}

HttpListener::~HttpListener() {
  context_.stop();
  thread_.join();
}

void HttpListener::listen(const std::string& address, int port) {
  const boost::asio::ip::tcp::endpoint at(boost::asio::ip::make_address(address),
                                          static_cast<unsigned short>(port));
  acceptor_.open(at.protocol());
  // A run that restarts takes its port again although old connections are not forgotten yet.
  acceptor_.set_option(boost::asio::socket_base::reuse_address(true));
  close_on_exec(acceptor_.native_handle());
  acceptor_.bind(at);
  acceptor_.listen(kBacklog);
  port_ = acceptor_.local_endpoint().port();
  accept();
}

void HttpListener::accept() {
  acceptor_.async_accept([this](boost::system::error_code error, Socket socket) {
    if (error) {
      // Out of descriptors, most likely: asking again at once would only burn the core.
      return accept_after(std::chrono::milliseconds(100));
    }
    close_on_exec(socket.native_handle());
    accepted_(std::move(socket));
    accept_after(about_.pace.take(Pace::Clock::now()));
  });
}

void HttpListener::accept_after(std::chrono::nanoseconds pause) {
  if (pause == std::chrono::nanoseconds::zero()) return accept();
  pause_.expires_after(pause);
  pause_.async_wait([this](boost::system::error_code) { accept(); });
}

void HttpListener::serve() {
  name_thread(about_.name);
  if (about_.niceness > 0) {
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), about_.niceness);
  }
  for (;;) {
    try {
      context_.run();
      return;
    } catch (const std::exception& error) {
      log::warn("{}: {}", about_.name, error.what());
    }
  }
}

}  // namespace lacuna::coordinator
