// An HTTP server of one text at one path, for scrapers: GET, where wanted with a token, nothing
// else.
//
// One thread of its own at the lowest priority, so that requests take only processor time that the
// rest of the process leaves over. What a client sends or withholds concerns nobody else: requests
// are bounded in size, time and number: what comes faster waits, so that a flood of them costs no
// more than the limit; when all connections are used up, the oldest makes room. Not the
// server of prometheus-cpp (CivetWeb): that cannot start threads in a process with LibTorch, whose
// thread-local storage exceeds the stacks that it asks for. Beast and Asio stay in the source.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lacuna::monitoring {

struct TextServerLimits {
  std::size_t connections = 64, request_bytes = 8 * 1024;
  double request_seconds = 2;  // from the first byte to the last
  double answer_seconds = 10;  // for a client to take it
  double idle_seconds = 120;   // between requests of a connection
  // Of new connections, and again as many of further requests on old ones. Prometheus asks a few
  // times a minute.
  double requests_per_second = 20;
  int burst = 20;
};

class TextServer {
 public:
  using Text = std::function<std::string()>;  // called on the server's thread

  // Listens from here on; port 0: any free one. tokens: a request must show one of them
  // (Authorization: Bearer TOKEN, or as the password of a browser); empty: nobody is asked. Throws
  // Error when the address cannot be used.
  TextServer(const std::string& address, int port, std::string path, std::string content_type,
             Text text, std::vector<std::string> tokens = {}, const TextServerLimits& limits = {});
  ~TextServer();  // closes every connection and frees the port
  TextServer(const TextServer&) = delete;
  TextServer& operator=(const TextServer&) = delete;

  int port() const;

 private:
  class Listener;
  std::unique_ptr<Listener> listener_;
};

}  // namespace lacuna::monitoring
