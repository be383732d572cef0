#include "worker/step/phase_outcome.h"

#include <limits>

namespace lacuna::worker {
namespace {

double number(const Json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

std::map<std::string, double> numbers(const Json& object) {
  std::map<std::string, double> result;
  for (const auto& [name, value] : object.items()) result[name] = number(value);
  return result;
}

}  // namespace

void PhaseOutcome::follow(const PhaseOutcome& next) {
  const PhaseOutcome before = *this;
  *this = next;
  finite = before.finite && next.finite;
  forward_backward_seconds += before.forward_backward_seconds;
  optimizer_seconds += before.optimizer_seconds;
  reduce_seconds += before.reduce_seconds;
}

Json PhaseOutcome::to_json() const {
  Json pairs = Json::array();
  for (const auto& [name, value] : parts) pairs.push_back({name, value});
  return {{"finite", finite},
          {"loss", loss},
          {"parts", pairs},
          {"learning_rates", learning_rates},
          {"gradient_norms", gradient_norms},
          {"forward_backward_seconds", forward_backward_seconds},
          {"optimizer_seconds", optimizer_seconds},
          {"reduce_seconds", reduce_seconds}};
}

// Through text: what is not finite became null there.
PhaseOutcome PhaseOutcome::from_json(const Json& json) {
  PhaseOutcome outcome;
  outcome.finite = json.at("finite");
  outcome.loss = number(json.at("loss"));
  for (const Json& pair : json.at("parts")) {
    outcome.parts.emplace_back(pair.at(0).get<std::string>(), number(pair.at(1)));
  }
  outcome.learning_rates = numbers(json.at("learning_rates"));
  outcome.gradient_norms = numbers(json.at("gradient_norms"));
  outcome.forward_backward_seconds = json.at("forward_backward_seconds");
  outcome.optimizer_seconds = json.at("optimizer_seconds");
  outcome.reduce_seconds = json.at("reduce_seconds");
  return outcome;
}

}  // namespace lacuna::worker
