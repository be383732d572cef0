#include "base/metrics/line_scalars.h"

#include <limits>
#include <string>

namespace lacuna {
namespace {

void put(ScalarsAtStep& at, const std::string& tag, const Json& value) {
  if (value.is_null()) {
    at.values.push_back({tag, std::numeric_limits<double>::quiet_NaN()});
  } else if (value.is_number()) {
    at.values.push_back({tag, value.get<double>()});
  }
}

// `object` of numbers -> "group/name"; a number -> "group".
void put_all(ScalarsAtStep& at, const Json& line, const char* key, const std::string& group) {
  const auto found = line.find(key);
  if (found == line.end()) return;
  if (!found->is_object()) return put(at, group, *found);
  for (const auto& [name, value] : found->items()) put(at, group + "/" + name, value);
}

ScalarsAtStep validation_scalars(const Json& validation, std::int64_t step) {
  ScalarsAtStep at;
  const auto own = validation.find("step");
  at.step = own != validation.end() && own->is_number() ? own->get<std::int64_t>() : step;
  put_all(at, validation, "score", "validation/score");
  put_all(at, validation, "regions", "validation_dice");
  put_all(at, validation, "subsets", "validation_dice_by_subset");
  return at;
}

}  // namespace

std::vector<ScalarsAtStep> line_scalars(const Json& line) {
  if (!line.is_object() || !line.contains("step") || !line["step"].is_number()) return {};
  ScalarsAtStep at{.step = line["step"].get<std::int64_t>(), .values = {}};
  put_all(at, line, "loss", "loss/total");
  put_all(at, line, "losses", "loss");
  put_all(at, line, line.contains("learning_rates") ? "learning_rates" : "lr", "learning_rate");
  put_all(at, line, "gradient_norms", "gradient_norm");
  put_all(at, line, "diagnostics", "diagnostics");
  put_all(at, line, "samples_per_second", "speed/samples_per_second");
  put_all(at, line, "seconds", "seconds");
  put_all(at, line, "peak_memory_bytes", "memory/peak_bytes");
  for (const char* counter : {"skipped_steps", "skipped_cases", "checkpoint_failures"}) {
    put_all(at, line, counter, std::string("counters/") + counter);
  }
  std::vector<ScalarsAtStep> all;
  if (!at.values.empty()) all.push_back(std::move(at));
  if (line.contains("validation") && line["validation"].is_object()) {
    all.push_back(validation_scalars(line["validation"], line["step"].get<std::int64_t>()));
  }
  return all;
}

}  // namespace lacuna
