// The HTTP server of a run: status for people and programs, requests to save and to stop, and the
// heartbeats of the ranks (docs/coordinator.md).
//
// One thread of its own. Nothing that a client sends or withholds may disturb the run: header, body
// and connections are bounded, a request must be complete within a deadline, bad input is answered
// with 4xx, and everything needs the token. Beast and Asio stay in the source.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/text/json.h"

namespace lacuna::coordinator {

// What the server asks for. Called on the server's thread, so it must return at once.
class ServerApi {
 public:
  virtual ~ServerApi() = default;
  virtual Json status() = 0;
  virtual Json history() = 0;
  // The answer to a heartbeat. Throws Error (answered with 400 and its text) when it is none.
  virtual Json heartbeat(const Json& heartbeat) = 0;
  virtual void request_checkpoint() = 0;
  virtual void request_stop() = 0;
};

struct ServerLimits {
  std::size_t header_bytes = 8 * 1024, body_bytes = 64 * 1024;
  // When they are used up, the oldest connection that has not shown the token makes room.
  std::size_t connections = 64;
  double request_seconds = 10;  // from the first byte, or the connection, to the last byte
  double idle_seconds = 600;    // of a connection that has shown the token, between requests
};

class Server {
 public:
  // Listens from here on; port 0: any free one. `address` is an IP address. Throws Error when the
  // address cannot be used. The API must outlive the server.
  Server(ServerApi& api, const std::string& address, int port, std::string token,
         const ServerLimits& limits);
  ~Server();  // closes every connection and frees the port
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const;

 private:
  class Listener;
  std::unique_ptr<Listener> listener_;
};

}  // namespace lacuna::coordinator
