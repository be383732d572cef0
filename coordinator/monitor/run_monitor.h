// What is known about a run from outside: from its status server, or from its files when no server
// answers. Files are read once; later looks read what is new in them.
//
// The token is only sent to the host that the server runs on: on another one, the same port of
// loopback may belong to anybody. Not thread-safe.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/text/json.h"
#include "coordinator/http/endpoint.h"
#include "coordinator/http/http_client.h"
#include "coordinator/status/run_status.h"

namespace lacuna::coordinator {

struct Sight {
  Json status;       // as GET /api/status, with `source`: "server" or "files"
  std::string note;  // why it comes from the files; empty from the server
};

class RunMonitor {
 public:
  explicit RunMonitor(std::filesystem::path run_directory);

  // A server's answer is waited for that long; one of a stopped process never comes.
  Sight look(double patience_seconds = 3);

 private:
  // The answer of the server, or why there is none.
  std::optional<Json> ask(double patience_seconds, std::string& problem);
  Json read();
  // Whether a run whose files say that it runs does so, by its lease; why not.
  std::string judge_life(Json& status) const;

  const std::filesystem::path directory_;
  std::unique_ptr<RunStatus> files_;
  std::optional<Endpoint> endpoint_;
  std::unique_ptr<HttpClient> client_;  // to endpoint_
};

}  // namespace lacuna::coordinator
