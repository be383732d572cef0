// A client of the status server: one kept connection, a deadline on every request.
//
// Thread-safety: request() from one thread at a time; cancel() from any thread. Beast and Asio stay
// in the source.
#pragma once

#include <memory>
#include <string>

namespace lacuna::coordinator {

struct HttpReply {
  int status = 0;    // 0: no answer
  std::string body;  // of the answer, or why there is none
};

class HttpClient {
 public:
  // `address` is an IP address. Nothing is connected yet. Throws Error when it is not one.
  HttpClient(const std::string& address, int port, std::string token);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Connects if need be. A kept connection that the server has closed is replaced once.
  HttpReply request(const std::string& method, const std::string& target, const std::string& body,
                    double deadline_seconds);
  // Ends a request in flight, and makes every later one fail at once.
  void cancel();

 private:
  class Connection;
  std::unique_ptr<Connection> connection_;
};

}  // namespace lacuna::coordinator
