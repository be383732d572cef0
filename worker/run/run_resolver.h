// Resolves many runs, as resolve_run() does one: what depends on the method alone is worked out
// once. Not thread-safe.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "worker/run/run_config.h"

namespace lacuna::worker {

class RunResolver {
 public:
  // saved: as resolve_saved_run().
  RunConfig resolve(const Json& user, const std::string& where,
                    const std::vector<std::string>& settings = {}, bool saved = false);

 private:
  const Schema& schema(const std::string& method);
  void check_patch(const RunConfig& run, const std::string& where);
  void settle_init(Json& init, const std::string& where);

  std::map<std::string, Schema> schemas_;
  std::set<std::string> fitting_;               // networks with a patch that they take
  std::map<std::string, std::string> weights_;  // identities, by path
};

}  // namespace lacuna::worker
