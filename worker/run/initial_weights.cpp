#include "worker/run/initial_weights.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
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

constexpr std::size_t kShownNames = 8, kShownDifferences = 3;

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

std::string some(const std::vector<std::string>& names, std::size_t most = kShownNames) {
  const std::size_t shown = std::min(names.size(), most);
  const std::vector<std::string> first(names.begin(),
                                       names.begin() + static_cast<std::ptrdiff_t>(shown));
  return fmt::format("{}{}", fmt::join(first, ", "),
                     names.size() > shown ? fmt::format(" and {} more", names.size() - shown) : "");
}

std::vector<std::string> names_of(const NamedTensors& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  return names;
}

std::vector<std::string> names_of(const TensorFile& file) {
  std::vector<std::string> names;
  for (const TensorView& each : file.tensors()) names.push_back(each.name);
  return names;
}

[[noreturn]] void nothing_fits(const Path& path, const TensorFile& file,
                               const std::vector<std::string>& names) {
  throw_error<ConfigError>(
      "init.weights: no tensor of {} has the name and shape of one of this run. There: {}. Here: "
      "{}. `lacuna weights list METHOD` shows names and shapes",
      path.string(), some(names_of(file)), some(names));
}

bool begins_with_one_of(const std::string& name, const std::vector<std::string>& beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](const std::string& each) { return name.starts_with(each); });
}

// "teacher., student." of teacher.a.weight, teacher.b and student.a: what init.only may name.
std::string beginnings_of(const std::vector<std::string>& names) {
  std::set<std::string> found;
  for (const std::string& name : names) {
    const std::size_t dot = name.find('.');
    found.insert(dot == std::string::npos ? name : name.substr(0, dot + 1));
  }
  return found.empty() ? "none" : some({found.begin(), found.end()});
}

bool fits(const TensorView* there, const at::Tensor& here) {
  return there != nullptr && there->shape == here.sizes().vec();
}

// Every beginning that a user gives names something that both sides have.
void require_matches(const std::vector<std::string>& only, const Path& path, const TensorFile& file,
                     const NamedTensors& tensors) {
  std::vector<std::string> shared;
  for (const auto& [name, tensor] : tensors) {
    if (fits(file.find(name), tensor)) shared.push_back(name);
  }
  for (const std::string& beginning : only) {
    if (std::any_of(shared.begin(), shared.end(),
                    [&](const std::string& name) { return name.starts_with(beginning); })) {
      continue;
    }
    throw_error<ConfigError>(
        "init.only: no tensor that begins with \"{}\" has the same name and shape in {} as here. "
        "Beginnings that fit: {}; there: {}; here: {}",
        beginning, path.string(), beginnings_of(shared), beginnings_of(names_of(file)),
        beginnings_of(names_of(tensors)));
  }
}

// What a method does not train must have been trained by somebody: none of it may stay new.
void require_given(const std::vector<std::string>& needed, const Path& path, const TensorFile& file,
                   const NamedTensors& tensors, const std::map<std::string, at::Tensor>& taken) {
  std::vector<std::string> lacking;
  for (const auto& [name, tensor] : tensors) {
    if (!begins_with_one_of(name, needed) || taken.contains(name)) continue;
    const TensorView* view = file.find(name);
    lacking.push_back(view == nullptr || fits(view, tensor)
                          ? name
                          : fmt::format("{} ([{}] there, [{}] here)", name,
                                        fmt::join(view->shape, ", "),
                                        fmt::join(tensor.sizes(), ", ")));
  }
  if (lacking.empty()) return;
  throw_error<ConfigError>(
      "init.weights: this run does not train what begins with {} and needs all of it. Not taken "
      "from {}: {}. Beginnings of the names there: {}. Name weights of that network, of the same "
      "width and classes, and let init.only include it",
      fmt::join(needed, ", "), path.string(), some(lacking, kShownDifferences),
      beginnings_of(names_of(file)));
}

}  // namespace

std::string initial_weights_identity(const Path& source) { return identity_of(files_of(source)); }

Json load_initial_weights(const RunConfig& config, const TrainingState& state,
                          const std::vector<std::string>& needed) {
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
    const bool wanted = config.init_only.empty() || begins_with_one_of(name, config.init_only);
    if (!wanted || !fits(file.find(name), tensor)) {
      fresh.push_back(name);
      continue;
    }
    tensor.detach().copy_(
        methods::read_tensor(file, averaged ? *files.average : files.model, name));
    taken.emplace(name, tensor);
  }
  require_matches(config.init_only, files.model, model, tensors);
  if (taken.empty()) nothing_fits(files.model, model, fresh);
  require_given(needed, files.model, model, tensors, taken);
  for (const auto& [name, tensor] : state.averages()) {
    if (const auto found = taken.find(name); found != taken.end()) {
      tensor.detach().copy_(found->second);
    }
  }
  log::info("{} of {} tensors start from {}{}", taken.size(), tensors.size(), files.model.string(),
            fresh.empty() ? "" : "; new: " + some(fresh));
  return {{"weights", files.model.string()},
          {"identity", config.init_identity},
          {"only", config.init_only},
          {"taken", taken.size()},
          {"fresh", fresh},
          {"unused", model.tensors().size() - taken.size()}};
}

Json start_from_weights(const RunConfig& config, const TrainingState& state,
                        const std::vector<std::string>& needed) {
  if (!config.init_identity.empty()) return load_initial_weights(config, state, needed);
  if (needed.empty()) return nullptr;
  throw_error<ConfigError>(
      "this run does not train what begins with {}: name a run that did, or its weights, as "
      "init.weights",
      fmt::join(needed, ", "));
}

}  // namespace lacuna::worker
