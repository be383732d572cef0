// What is known about a run from outside: from its status server, or from its files when no server
// answers.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/json.h"
#include "coordinator/endpoint.h"
#include "coordinator/http_client.h"

namespace lacuna::coordinator {

struct Sight {
  Json status;       // as GET /api/status, with `source`: "server" or "files"
  std::string note;  // why it comes from the files; empty from the server
};

class RunMonitor {
 public:
  // Throws DataError when there is no run in the directory.
  explicit RunMonitor(std::filesystem::path run_directory);

  Sight look();

 private:
  // The answer of the server, or why there is none.
  std::optional<Json> ask(std::string& problem);

  const std::filesystem::path directory_;
  std::optional<Endpoint> endpoint_;
  std::unique_ptr<HttpClient> client_;  // to endpoint_
};

}  // namespace lacuna::coordinator
