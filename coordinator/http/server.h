// The HTTP server of a run: status for people and programs, requests to save and to stop, and the
// heartbeats of the ranks (docs/coordinator.md).
//
// Everything needs the token. How requests travel: coordinator/http/http_server.h.
#pragma once

#include <string>

#include "base/text/json.h"
#include "coordinator/http/http_server.h"

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

class Server {
 public:
  // Listens from here on; port 0: any free one. `address` is an IP address. Throws Error when the
  // address cannot be used. The API must outlive the server.
  Server(ServerApi& api, const std::string& address, int port, std::string token,
         const HttpLimits& limits);

  int port() const { return server_.port(); }

 private:
  HttpServer server_;
};

}  // namespace lacuna::coordinator
