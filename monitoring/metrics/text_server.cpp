#include "monitoring/metrics/text_server.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "base/text/log.h"
#include "coordinator/http/access.h"
#include "coordinator/http/http_listener.h"

namespace lacuna::monitoring {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Tcp = asio::ip::tcp;
using ErrorCode = beast::error_code;

constexpr int kLowestPriority = 19;

class Connection;

// What the connections of a server share. Used by the server's thread only.
struct Shared {
  const std::string path, content_type;
  const TextServer::Text text;
  const std::vector<std::string> tokens;
  const TextServerLimits limits;
  coordinator::Pace pace;  // of requests after the first of a connection
  std::map<std::uint64_t, Connection*> connections{};  // by age
  std::uint64_t accepted = 0;
};

coordinator::Pace pace_of(const TextServerLimits& limits) {
  return {limits.requests_per_second, limits.burst};
}

// One client: request, answer, and again. Owned by the operation that is in flight.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Tcp::socket socket, Shared& shared)
      : turn_(socket.get_executor()),
        stream_(std::move(socket)),
        shared_(shared),
        number_(shared.accepted++),
        buffer_(shared.limits.request_bytes) {
    shared_.connections.emplace(number_, this);
  }
  ~Connection() { shared_.connections.erase(number_); }

  void start() { read(shared_.limits.request_seconds); }
  void close() { stream_.close(); }

 private:
  void read(double seconds) {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(shared_.limits.request_bytes));
    parser_->body_limit(0);
    stream_.expires_after(coordinator::to_duration(seconds));
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](ErrorCode error, std::size_t) {
                       if (!error) self->answer();
                     });
  }

  void answer() {
    const auto& request = parser_->get();
    const auto target = request.target().substr(0, request.target().find('?'));
    response_ = {};
    response_.version(11);
    response_.set(http::field::server, "lacuna");
    response_.set(http::field::content_type, "text/plain; charset=utf-8");
    if (!may_ask(request[http::field::authorization])) {
      response_.result(http::status::unauthorized);
      response_.set(http::field::www_authenticate, "Bearer, Basic realm=\"lacuna\"");
      response_.body() = "show the token: Authorization: Bearer TOKEN\n";
    } else if (target != beast::string_view(shared_.path)) {
      response_.result(http::status::not_found);
      response_.body() = "there is only " + shared_.path + "\n";
    } else if (request.method() != http::verb::get) {
      response_.result(http::status::method_not_allowed);
      response_.set(http::field::allow, "GET");
    } else {
      fill();
    }
    const bool keep = request.keep_alive();
    response_.keep_alive(keep);
    response_.prepare_payload();
    stream_.expires_after(coordinator::to_duration(shared_.limits.answer_seconds));
    http::async_write(stream_, response_,
                      [self = shared_from_this(), keep](ErrorCode error, std::size_t) {
                        if (!error && keep) return self->read_in_turn();
                        ErrorCode ignored;
                        self->stream_.socket().shutdown(Tcp::socket::shutdown_send, ignored);
                      });
  }

  bool may_ask(beast::string_view authorization) const {
    if (shared_.tokens.empty()) return true;
    return std::any_of(shared_.tokens.begin(), shared_.tokens.end(), [&](const auto& token) {
      return coordinator::shows_token({authorization.data(), authorization.size()}, token,
                                      /*basic_too=*/true);
    });
  }

  void read_in_turn() {
    turn_.expires_after(shared_.pace.take(coordinator::Pace::Clock::now()));
    turn_.async_wait(
        [self = shared_from_this()](ErrorCode) { self->read(self->shared_.limits.idle_seconds); });
  }

  void fill() {
    try {
      response_.body() = shared_.text();
      response_.set(http::field::content_type, shared_.content_type);
    } catch (const std::exception& error) {
      log::warn("metrics: {}", error.what());
      response_.result(http::status::internal_server_error);
    }
  }

  asio::steady_timer turn_;
  beast::tcp_stream stream_;
  Shared& shared_;
  const std::uint64_t number_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
};

}  // namespace

class TextServer::Listener {
 public:
  Listener(const std::string& address, int port, Shared shared)
      : shared_(std::move(shared)),
        listener_(address, port, {"metrics", kLowestPriority, pace_of(shared_.limits)},
                  [this](Tcp::socket socket) { admit(std::move(socket)); }) {}

  int port() const { return listener_.port(); }

 private:
  void admit(Tcp::socket socket) {
    if (shared_.connections.size() >= shared_.limits.connections) {
      const auto oldest = shared_.connections.begin();
      oldest->second->close();
      shared_.connections.erase(oldest);
    }
    std::make_shared<Connection>(std::move(socket), shared_)->start();
  }

  Shared shared_;  // before the listener, whose handlers own the connections
  coordinator::HttpListener listener_;
};

TextServer::TextServer(const std::string& address, int port, std::string path,
                       std::string content_type, Text text, std::vector<std::string> tokens,
                       const TextServerLimits& limits)
    : listener_(std::make_unique<Listener>(
          address, port,
          Shared{std::move(path), std::move(content_type), std::move(text), std::move(tokens),
                 limits, pace_of(limits)})) {}

TextServer::~TextServer() = default;

int TextServer::port() const { return listener_->port(); }

}  // namespace lacuna::monitoring
