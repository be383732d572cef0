// An HTTP server of one text at one path, for scrapers: GET, where wanted with a token, nothing
// else.
//
// Its thread has the lowest priority, so that requests take only processor time that the rest of
// the process leaves over, and a flood of them costs no more than the rate that is allowed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "coordinator/http/http_server.h"

namespace lacuna::monitoring {

// Prometheus asks a few times a minute.
coordinator::HttpLimits scrape_limits();

class TextServer {
 public:
  using Text = std::function<std::string()>;  // called on the server's thread

  // Listens from here on; port 0: any free one. tokens: a request must show one of them
  // (Authorization: Bearer TOKEN, or as the password of a browser); empty: nobody is asked. Throws
  // Error when the address cannot be used.
  TextServer(const std::string& address, int port, std::string path, std::string content_type,
             Text text, std::vector<std::string> tokens = {},
             const coordinator::HttpLimits& limits = scrape_limits());

  int port() const { return server_.port(); }

 private:
  coordinator::HttpServer server_;
};

}  // namespace lacuna::monitoring
