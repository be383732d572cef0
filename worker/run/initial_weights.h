// The weights that a run starts from when `init.weights` names some: those of another run, of a
// checkpoint, or of a safetensors file. Tensors of equal name and shape are taken, the others stay
// as the method makes them. `init.only` keeps it to names with certain beginnings: a student takes
// its teacher and keeps the weights of its own seed.
//
// What they are decides the result, not where they lie: `init.identity` says it and counts in the
// run's hash. It is "run:<hash>", the best checkpoint of that run, or "file:<XXH3>" of the bytes.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/text/json.h"
#include "worker/run/run_config.h"
#include "worker/state/training_state.h"

namespace lacuna::worker {

// Of the bytes that a run would start from. Throws DataError when nothing usable is there.
std::string initial_weights_identity(const std::filesystem::path& source);

// Copies them into the model and its averages. Returns what was done, for events.jsonl: weights,
// identity, taken (count), fresh (names of the run's tensors that were not there), unused (count).
// Throws ConfigError when they are not those of init.identity, when no tensor fits, or none with a
// beginning of init.only; or when one of the run's tensors with a beginning in `needed`
// (Method::given_tensors) is not taken.
Json load_initial_weights(const RunConfig& config, const TrainingState& state,
                          const std::vector<std::string>& needed = {});

// The same for any run that begins: null for one that names no weights. Throws ConfigError, too,
// when that one needs some.
Json start_from_weights(const RunConfig& config, const TrainingState& state,
                        const std::vector<std::string>& needed);

}  // namespace lacuna::worker
