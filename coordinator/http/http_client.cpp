#include "coordinator/http/http_client.h"

#include <atomic>
#include <chrono>
#include <optional>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "base/error.h"

namespace lacuna::coordinator {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Tcp = asio::ip::tcp;
using ErrorCode = beast::error_code;
using Moment = std::chrono::steady_clock::time_point;

// The status of a run is far below it; it only keeps a wrong server from filling the memory.
constexpr std::size_t kAnswerBytes = 16 * 1024 * 1024;

}  // namespace

class HttpClient::Connection {
 public:
  Connection(const std::string& address, int port, std::string token) : token_(std::move(token)) {
    ErrorCode error;
    const auto ip = asio::ip::make_address(address, error);
    if (error) throw_error<Error>("{}: not an IP address", address);
    server_ = {ip, static_cast<unsigned short>(port)};
  }

  HttpReply request(http::request<http::string_body> message, double deadline_seconds) {
    const auto until = std::chrono::steady_clock::now() +
                       std::chrono::nanoseconds(static_cast<std::int64_t>(deadline_seconds * 1e9));
    message.set(http::field::host, server_.address().to_string());
    message.set(http::field::authorization, "Bearer " + token_);
    message.prepare_payload();
    const bool kept = stream_.has_value();
    HttpReply reply = attempt(message, until);
    // A kept connection may have been closed by a server that restarted, or for idleness.
    if (reply.status == 0 && kept && std::chrono::steady_clock::now() < until) {
      reply = attempt(message, until);
    }
    return reply;
  }

  void cancel() {
    cancelled_ = true;
    asio::post(context_, [this] {
      if (stream_) stream_->close();
    });
  }

 private:
  HttpReply attempt(const http::request<http::string_body>& message, Moment until) {
    ErrorCode error;
    if (!stream_) error = connect(until);
    if (!error) {
      error = wait(until, [&](auto done) { http::async_write(*stream_, message, done); });
    }
    http::response_parser<http::string_body> parser;
    parser.body_limit(kAnswerBytes);
    if (!error) {
      error = wait(until, [&](auto done) { http::async_read(*stream_, buffer_, parser, done); });
    }
    if (error) {
      drop();
      return {0, error == beast::error::timeout ? "no answer in time" : error.message()};
    }
    auto answer = parser.release();
    if (!answer.keep_alive()) drop();
    return {static_cast<int>(answer.result_int()), std::move(answer.body())};
  }

  ErrorCode connect(Moment until) {
    stream_.emplace(context_);
    buffer_.clear();
    ErrorCode result;
    stream_->expires_at(until);
    stream_->async_connect(server_, [&](ErrorCode error) { result = error; });
    run();
    if (!result) stream_->socket().set_option(Tcp::no_delay(true), result);
    return result;
  }

  template <typename Start>
  ErrorCode wait(Moment until, const Start& start) {
    ErrorCode result;
    stream_->expires_at(until);
    start([&](ErrorCode error, std::size_t) { result = error; });
    run();
    return result;
  }

  void run() {
    if (cancelled_) stream_->close();
    context_.restart();
    context_.run();
  }

  void drop() {
    stream_.reset();
    context_.restart();
    context_.run();  // whatever the closed stream left to be told
  }

  const std::string token_;
  Tcp::endpoint server_;
  asio::io_context context_{1};
  std::optional<beast::tcp_stream> stream_;
  beast::flat_buffer buffer_;
  std::atomic<bool> cancelled_{false};
};

HttpClient::HttpClient(const std::string& address, int port, std::string token)
    : connection_(std::make_unique<Connection>(address, port, std::move(token))) {}

HttpClient::~HttpClient() = default;

HttpReply HttpClient::request(const std::string& method, const std::string& target,
                              const std::string& body, double deadline_seconds) {
  http::request<http::string_body> message{http::string_to_verb(method), target, 11};
  message.body() = body;
  if (!body.empty()) message.set(http::field::content_type, "application/json");
  return connection_->request(std::move(message), deadline_seconds);
}

void HttpClient::cancel() { connection_->cancel(); }

}  // namespace lacuna::coordinator
