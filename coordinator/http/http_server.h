// A server of HTTP/1.1 for one site: what requests mean is the site's affair, how they travel is
// this file's.
//
// One thread of its own. Nothing that a client sends or withholds may disturb the process or other
// clients: requests are bounded in size, time, number and rate, bad input is answered with 4xx.
// Beast and Asio stay in the source.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace lacuna::coordinator {

struct Reply {
  int status = 200;
  std::string type = "application/json", body;
  std::string allow;  // with 405: the method that is allowed
};

// Called on the server's thread, so all of it must return soon.
class HttpSite {
 public:
  virtual ~HttpSite() = default;
  // Whether it asks for a token. A connection that has shown one is not closed to make room.
  virtual bool is_guarded() const = 0;
  // Before the body is read: why the request is refused (401: no token), or status 200. `method` as
  // in HTTP.
  virtual Reply check(std::string_view method, std::string_view target,
                      std::string_view authorization) = 0;
  // Answers a request that check() let pass. What it throws is logged and answered with 500.
  virtual Reply answer(std::string_view target, const std::string& body) = 0;
  virtual Reply refusal(int status, const std::string& text) const = 0;
};

struct HttpLimits {
  std::size_t header_bytes = 8 * 1024, body_bytes = 64 * 1024;
  // When they are used up, the oldest connection that has not shown a token makes room.
  std::size_t connections = 64;
  double request_seconds = 10;  // from the first byte, or the connection, to the last byte
  double answer_seconds = 10;   // for a client to take it
  double idle_seconds = 600;    // between requests of a connection
  // Of new connections, and again as many of further requests on old ones; what comes faster waits.
  // 0: nothing waits.
  double requests_per_second = 0;
  int burst = 0;
};

class HttpServer {
 public:
  struct Thread {
    const char* name;  // of the thread, and in the log
    int niceness = 0;
  };

  // Listens from here on; port 0: any free one. `address` is an IP address. Throws Error when the
  // address cannot be used.
  HttpServer(std::unique_ptr<HttpSite> site, const std::string& address, int port, Thread thread,
             const HttpLimits& limits);
  ~HttpServer();  // closes every connection and frees the port
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const;

 private:
  class Listener;
  std::unique_ptr<Listener> listener_;
};

}  // namespace lacuna::coordinator
