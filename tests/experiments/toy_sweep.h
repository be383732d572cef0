// Sweeps of a run with few keys, resolved without any method.
#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/files/hash.h"
#include "base/text/options.h"
#include "experiments/sweep_definition.h"
#include "experiments/sweep_plan.h"

namespace lacuna::tests {

// train.threads does not decide the result.
inline experiments::ResolveRun toy_resolver() {
  using Type = Option::Type;
  const auto schema = std::make_shared<Schema>(std::vector<Option>{
      {.path = "method", .type = Type::kString, .fallback = "\"\"", .allowed = {"unet", "mckd"}},
      {.path = "data.cache", .type = Type::kString, .fallback = "\"\""},
      {.path = "data.split", .type = Type::kString, .fallback = "\"fold0\""},
      {.path = "train.steps", .type = Type::kInteger, .fallback = "100"},
      {.path = "train.batch", .type = Type::kInteger, .fallback = "1"},
      {.path = "train.seed", .type = Type::kInteger, .fallback = "1"},
      {.path = "train.threads", .type = Type::kInteger, .fallback = "0"},
      {.path = "subsets.policy", .type = Type::kString, .fallback = "\"full\""},
      {.path = "subsets.p", .type = Type::kNumber, .fallback = "0.5"},
      {.path = "init.weights", .type = Type::kString, .fallback = "\"\""},
      {.path = "init.identity", .type = Type::kString, .fallback = "\"\""},
  });
  return [schema](const Json& run, const std::string& where) {
    Json resolved = schema->resolve(run, where);
    if (resolved["method"] == "") throw_error<ConfigError>("{}: key \"method\" is missing", where);
    Json deciding = resolved;
    deciding["train"].erase("threads");
    deciding["data"].erase("cache");
    deciding["init"].erase("weights");
    return experiments::ResolvedRun{resolved, hash_hex(deciding.dump())};
  };
}

inline experiments::SweepDefinition define(const std::string& text,
                                           const std::vector<std::string>& settings = {}) {
  return experiments::parse_definition(Json::parse(text), "sweep.json", settings);
}

inline experiments::SweepPlan toy_plan(const std::string& text) {
  return experiments::make_plan(define(text), toy_resolver());
}

}  // namespace lacuna::tests
