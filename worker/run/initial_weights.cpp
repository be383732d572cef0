#include "worker/run/initial_weights.h"

#include <map>
#include <optional>
#include <vector>

#include <fmt/ranges.h>
#include <torch/utils.h>

#include "base/error.h"
#include "base/files/hash.h"
#include "base/files/tensor_file.h"
#include "base/text/log.h"
#include "base/text/options.h"
#include "base/text/run_reference.h"
#include "methods/exchange/tensor_exchange.h"
#include "worker/run/run_directory.h"

namespace lacuna::worker {
namespace {

constexpr std::size_t kShownNames = 8;

// What a source consists of. A run that keeps averages is evaluated with them, so they go on.
struct Files {
  Path model;
  std::optional<Path> average;
};

Files files_of(const Path& source) {
  if (std::filesystem::is_regular_file(source)) return {source, std::nullopt};
  if (!std::filesystem::exists(source)) {
    throw_error<DataError>(
        "{}: is not there. Name a run directory, a checkpoint or a safetensors file",
        source.string());
  }
  const Path checkpoint = evaluated_checkpoint(source);
  const Path average = checkpoint / "ema.safetensors";
  if (!std::filesystem::exists(average)) return {checkpoint / "model.safetensors", std::nullopt};
  return {checkpoint / "model.safetensors", average};
}

std::string identity_of(const Files& files) {
  std::string hashes = hash_file_hex(files.model);
  if (files.average) hashes = hash_hex(hashes + hash_file_hex(*files.average));
  return "file:" + hashes;
}

// A sweep names a run that need not be there when the name is given: it must be that one now.
void require_identity(const RunConfig& config, const Files& files) {
  std::string found;
  if (referenced_run(config.init_identity)) {
    const Json run = read_json(config.init_weights / "run.json");
    const Json* hash = find_path(run, std::string(kProvenanceKey) + ".hash");
    found = reference_to_run(hash && hash->is_string() ? hash->get<std::string>() : "unknown");
  } else {
    found = identity_of(files);
  }
  if (found == config.init_identity) return;
  throw_error<ConfigError>(
      "init.weights: {} holds {}, this run starts from {}. Name the weights that it was planned "
      "with, or leave init.identity out",
      config.init_weights.string(), found, config.init_identity);
}

std::string some(const std::vector<std::string>& names) {
  const std::size_t shown = std::min(names.size(), kShownNames);
  const std::vector<std::string> first(names.begin(),
                                       names.begin() + static_cast<std::ptrdiff_t>(shown));
  return fmt::format("{}{}", fmt::join(first, ", "),
                     names.size() > shown ? fmt::format(" and {} more", names.size() - shown) : "");
}

[[noreturn]] void nothing_fits(const Path& path, const TensorFile& file,
                               const std::vector<std::string>& names) {
  std::vector<std::string> there;
  for (const TensorView& each : file.tensors()) there.push_back(each.name);
  throw_error<ConfigError>(
      "init.weights: no tensor of {} has the name and shape of one of this run. There: {}. Here: "
      "{}. `lacuna weights list METHOD` shows names and shapes",
      path.string(), some(there), some(names));
}

}  // namespace

std::string initial_weights_identity(const Path& source) { return identity_of(files_of(source)); }

Json load_initial_weights(const RunConfig& config, const TrainingState& state) {
  if (config.init_weights.empty()) {
    throw_error<ConfigError>("init.identity is {}, but init.weights does not say where that is",
                             config.init_identity);
  }
  const Files files = files_of(config.init_weights);
  require_identity(config, files);
  const torch::NoGradGuard no_grad;
  const TensorFile model(files.model);
  std::optional<TensorFile> average;
  if (files.average) average.emplace(*files.average);

  std::vector<std::string> fresh;
  std::map<std::string, at::Tensor> taken;
  const NamedTensors tensors = state.model();
  for (const auto& [name, tensor] : tensors) {
    const bool averaged = average && average->find(name) != nullptr;
    const TensorFile& file = averaged ? *average : model;
    const TensorView* view = file.find(name);
    if (view == nullptr || view->shape != tensor.sizes().vec()) {
      fresh.push_back(name);
      continue;
    }
    tensor.detach().copy_(
        methods::read_tensor(file, averaged ? *files.average : files.model, name));
    taken.emplace(name, tensor);
  }
  if (taken.empty()) nothing_fits(files.model, model, fresh);
  for (const auto& [name, tensor] : state.averages()) {
    if (const auto found = taken.find(name); found != taken.end()) {
      tensor.detach().copy_(found->second);
    }
  }
  log::info("{} of {} tensors start from {}{}", taken.size(), tensors.size(), files.model.string(),
            fresh.empty() ? "" : "; new: " + some(fresh));
  return {{"weights", files.model.string()},
          {"identity", config.init_identity},
          {"taken", taken.size()},
          {"fresh", fresh},
          {"unused", model.tensors().size() - taken.size()}};
}

}  // namespace lacuna::worker
