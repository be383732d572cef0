#include "coordinator/http/http_server.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "base/text/log.h"
#include "coordinator/http/http_listener.h"

namespace lacuna::coordinator {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Tcp = asio::ip::tcp;
using ErrorCode = beast::error_code;

// What a refused client may still send while it reads why: closing at once would reset the
// connection and lose the answer.
constexpr std::size_t kDrainBytes = 1024 * 1024;
constexpr std::chrono::seconds kDrainTime(2);

// Everything comes from this server, and nothing that stands inside the page itself is run.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

class Connection;

// What the connections of a server share. Used by the server's thread only.
struct Shared {
  const std::unique_ptr<HttpSite> site;
  const char* name;
  const HttpLimits limits;
  Pace pace;  // of requests after the first of a connection
  std::map<std::uint64_t, Connection*> connections{};  // by age
  std::uint64_t accepted = 0;
};

Pace pace_of(const HttpLimits& limits) { return {limits.requests_per_second, limits.burst}; }

// One client: header, check, body, answer, and again. Owned by the operation that is in flight.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Tcp::socket socket, Shared& shared)
      : turn_(socket.get_executor()),
        stream_(std::move(socket)),
        shared_(shared),
        number_(shared.accepted++),
        buffer_(shared.limits.header_bytes + shared.limits.body_bytes) {
    shared_.connections.emplace(number_, this);
  }
  ~Connection() { shared_.connections.erase(number_); }

  bool trusted() const { return trusted_; }
  void start() { read_header(); }
  void close() { stream_.close(); }

 private:
  void read_header() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(shared_.limits.header_bytes));
    parser_->body_limit(shared_.limits.body_bytes);
    const bool between = answered_ && buffer_.size() == 0;
    stream_.expires_after(
        to_duration(between ? shared_.limits.idle_seconds : shared_.limits.request_seconds));
    http::async_read_header(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](ErrorCode error, std::size_t) { self->on_header(error); });
  }

  void on_header(ErrorCode error) {
    if (error) return on_bad_read(error);
    const auto& request = parser_->get();
    Reply reply = site().check(view(request.method_string()), view(request.target()),
                               view(request[http::field::authorization]));
    trusted_ = trusted_ || (site().is_guarded() && reply.status != 401);
    if (reply.status != 200) return write(std::move(reply), /*keep=*/false);
    stream_.expires_after(to_duration(shared_.limits.request_seconds));
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](ErrorCode body_error, std::size_t) {
                       self->on_body(body_error);
                     });
  }

  void on_body(ErrorCode error) {
    if (error) return on_bad_read(error);
    const auto& request = parser_->get();
    Reply reply;
    try {
      reply = site().answer(view(request.target()), request.body());
    } catch (const std::exception& failure) {
      log::warn("{}: {}", shared_.name, failure.what());
      reply = site().refusal(500, "the request could not be answered; see the log of rank 0");
    }
    write(std::move(reply), request.keep_alive());
  }

  void on_bad_read(ErrorCode error) {
    // Of HTTP's own errors the client is told; a dropped or timed-out connection just ends.
    static const auto& category = http::make_error_code(http::error::bad_method).category();
    if (error.category() != category || error == http::error::end_of_stream ||
        error == http::error::partial_message) {
      return;
    }
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      return write(site().refusal(431, "the header is too large"), false);
    }
    if (error == http::error::body_limit) {
      return write(site().refusal(413, "the body is too large"), false);
    }
    write(site().refusal(400, "not a request: " + error.message()), false);
  }

  void write(Reply reply, bool keep) {
    response_ = {};
    response_.version(11);
    response_.result(static_cast<unsigned>(reply.status));
    response_.set(http::field::server, "lacuna");
    response_.set(http::field::content_type, reply.type);
    response_.set(http::field::cache_control, "no-store");
    response_.set("X-Content-Type-Options", "nosniff");
    response_.set("Referrer-Policy", "no-referrer");
    response_.set("Content-Security-Policy", kPolicy);
    if (reply.status == 401) {
      response_.set(http::field::www_authenticate, "Basic realm=\"lacuna\"");
      response_.insert(http::field::www_authenticate, "Bearer");
    }
    if (!reply.allow.empty()) response_.set(http::field::allow, reply.allow);
    response_.body() = std::move(reply.body);
    response_.keep_alive(keep);
    response_.prepare_payload();
    stream_.expires_after(to_duration(shared_.limits.answer_seconds));
    http::async_write(stream_, response_,
                      [self = shared_from_this(), keep](ErrorCode error, std::size_t) {
                        if (error) return;
                        self->answered_ = true;
                        if (keep) return self->read_in_turn();
                        self->finish();
                      });
  }

  void read_in_turn() {
    const auto pause = shared_.pace.take(Pace::Clock::now());
    if (pause == Pace::Clock::duration::zero()) return read_header();
    turn_.expires_after(pause);
    turn_.async_wait([self = shared_from_this()](ErrorCode) { self->read_header(); });
  }

  void finish() {
    ErrorCode ignored;
    stream_.socket().shutdown(Tcp::socket::shutdown_send, ignored);
    stream_.expires_after(kDrainTime);
    drain();
  }

  void drain() {
    stream_.async_read_some(asio::buffer(waste_),
                            [self = shared_from_this()](ErrorCode error, std::size_t bytes) {
                              self->drained_ += bytes;
                              if (!error && self->drained_ < kDrainBytes) self->drain();
                            });
  }

  HttpSite& site() { return *shared_.site; }

  asio::steady_timer turn_;
  beast::tcp_stream stream_;
  Shared& shared_;
  const std::uint64_t number_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
  std::array<char, 4096> waste_;
  std::size_t drained_ = 0;
  bool trusted_ = false, answered_ = false;
};

}  // namespace

class HttpServer::Listener {
 public:
  Listener(std::unique_ptr<HttpSite> site, const std::string& address, int port, Thread thread,
           const HttpLimits& limits)
      : shared_{std::move(site), thread.name, limits, pace_of(limits)},
        listener_(address, port, {thread.name, thread.niceness, pace_of(limits)},
                  [this](Tcp::socket socket) { admit(std::move(socket)); }) {}

  int port() const { return listener_.port(); }

 private:
  void admit(Tcp::socket socket) {
    if (make_room()) std::make_shared<Connection>(std::move(socket), shared_)->start();
  }

  // False when every connection is taken by somebody who knows the token.
  bool make_room() {
    if (shared_.connections.size() < shared_.limits.connections) return true;
    for (const auto& [number, connection] : shared_.connections) {
      if (connection->trusted()) continue;
      connection->close();
      shared_.connections.erase(number);
      return true;
    }
    return false;
  }

  Shared shared_;  // before the listener, whose handlers own the connections
  HttpListener listener_;
};

HttpServer::HttpServer(std::unique_ptr<HttpSite> site, const std::string& address, int port,
                       Thread thread, const HttpLimits& limits)
    : listener_(std::make_unique<Listener>(std::move(site), address, port, thread, limits)) {}

HttpServer::~HttpServer() = default;

int HttpServer::port() const { return listener_->port(); }

}  // namespace lacuna::coordinator
