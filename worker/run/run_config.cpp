#include "worker/run/run_config.h"

#include <algorithm>
#include <array>

#include <xxhash.h>

#include "base/error.h"
#include "methods/registry.h"
#include "worker/run/initial_weights.h"
#include "worker/run/patch_check.h"
#include "worker/run/run_resolver.h"

namespace lacuna::worker {
namespace {

// Keys that change where or how fast a run computes, or what it keeps, but not its result.
constexpr std::array kNeutralKeys = {
    "data.cache",    "data.loader_threads", "train.device",      "train.layout",
    "train.threads", "train.communicator",  "checkpoint.",       "log.",
    "meta.rank",     "data.stage",          "monitor.",          "validate.hd95",
    "validate.lag",  "init.weights",        "train.max_seconds", "train.profile",
};

bool decides_result(const std::string& path) {
  return std::none_of(kNeutralKeys.begin(), kNeutralKeys.end(),
                      [&](const char* neutral) { return path.starts_with(neutral); });
}

template <typename T>
std::optional<T> optional_at(const Json& object, const std::string& path) {
  const Json* value = find_path(object, path);
  if (!value || value->is_null()) return std::nullopt;
  return value->get<T>();
}

template <typename T>
T at(const Json& object, const std::string& path) {
  return optional_at<T>(object, path).value();
}

// A whole number may be written 1e5; the resolved file holds it as an integer.
void normalise_integers(Json& resolved, const std::vector<Option>& options) {
  for (const Option& option : options) {
    if (option.type != Option::Type::kInteger) continue;
    Json& value = resolved[Json::json_pointer("/" + [&] {
      std::string pointer = option.path;
      std::replace(pointer.begin(), pointer.end(), '.', '/');
      return pointer;
    }())];
    if (value.is_number_float()) value = static_cast<std::int64_t>(value.get<double>());
  }
}

Json keys_that_decide(const Json& resolved, const Schema& schema) {
  Json flat = Json::object();
  const auto visit = [&](const auto& self, const Json& node, const std::string& prefix) -> void {
    for (const auto& [name, value] : node.items()) {
      const std::string path = prefix.empty() ? name : prefix + "." + name;
      if (path == kProvenanceKey || schema.is_absent(path, value)) continue;
      if (value.is_object()) {
        self(self, value, path);
      } else if (decides_result(path)) {
        flat[path] = value;
      }
    }
  };
  visit(visit, resolved, "");
  return flat;
}

std::string hash_of(const Json& deciding) {
  const std::string text = deciding.dump();
  return fmt::format("{:016x}", XXH3_64bits(text.data(), text.size()));
}

data::Extent read_patch(const Json& value, const std::string& where) {
  if (value.size() != 3) {
    throw_error<ConfigError>("{}: data.patch is {}, expected three sizes, D, H, W: [80,160,160]",
                             where, value.dump());
  }
  return value.get<data::Extent>();
}

std::pair<std::int64_t, std::int64_t> read_steps(const Json& value, const std::string& where) {
  if (value.size() != 2 || value[0] > value[1]) {
    throw_error<ConfigError>(
        "{}: train.profile is {}, expected the first and the last step: [20, 24]", where,
        value.dump());
  }
  return {value[0], value[1]};
}

RunConfig read_fields(Json resolved, const std::string& where) {
  RunConfig run;
  run.method = at<std::string>(resolved, "method");
  run.method_options = resolved.value("method_options", Json::object());
  run.width = at<double>(resolved, "model.width");
  run.cache = at<std::string>(resolved, "data.cache");
  run.split = at<std::string>(resolved, "data.split");
  if (const auto patch = optional_at<Json>(resolved, "data.patch")) {
    run.patch = read_patch(*patch, where);
  }
  run.augment = at<std::string>(resolved, "data.augment");
  if (optional_at<std::string>(resolved, "subsets.policy")) run.subsets = resolved["subsets"];
  run.loader_threads = at<int>(resolved, "data.loader_threads");
  run.shard = at<std::string>(resolved, "data.shard");
  run.shard_by = at<std::string>(resolved, "data.shard_by");
  run.stage = at<std::string>(resolved, "data.stage");
  run.steps = at<std::int64_t>(resolved, "train.steps");
  run.batch = at<std::int64_t>(resolved, "train.batch");
  run.micro_batch = at<std::int64_t>(resolved, "train.micro_batch");
  run.seed = at<std::uint64_t>(resolved, "train.seed");
  run.precision = at<std::string>(resolved, "train.precision");
  run.mode = at<std::string>(resolved, "train.mode");
  run.device = at<std::string>(resolved, "train.device");
  run.layout = at<std::string>(resolved, "train.layout");
  run.bf16_gradients = at<std::string>(resolved, "train.gradient_compression") == "bf16";
  run.learning_rate = optional_at<double>(resolved, "train.learning_rate");
  run.ema = at<double>(resolved, "train.ema");
  run.init_weights = at<std::string>(resolved, "init.weights");
  run.init_identity = at<std::string>(resolved, "init.identity");
  run.init_only = at<std::vector<std::string>>(resolved, "init.only");
  run.nonfinite_limit = at<std::int64_t>(resolved, "train.nonfinite_limit");
  run.threads = at<int>(resolved, "train.threads");
  run.overfit = at<int>(resolved, "train.overfit");
  run.max_seconds = at<double>(resolved, "train.max_seconds");
  if (const auto profile = optional_at<Json>(resolved, "train.profile")) {
    run.profile = read_steps(*profile, where);
  }
  run.meta_period = optional_at<std::int64_t>(resolved, "meta.period");
  run.meta_repeats = optional_at<std::int64_t>(resolved, "meta.repeats");
  run.meta_dedicated = at<std::string>(resolved, "meta.rank") == "dedicated";
  run.meta_async = at<std::string>(resolved, "meta.mode") == "async";
  run.meta_lag = at<std::int64_t>(resolved, "meta.lag");
  run.validate_every = at<std::int64_t>(resolved, "validate.every");
  run.validate_lag = optional_at<std::int64_t>(resolved, "validate.lag");
  run.validate_cases = at<std::int64_t>(resolved, "validate.cases");
  run.checkpoint_steps = at<std::int64_t>(resolved, "checkpoint.every_steps");
  run.checkpoint_seconds = at<std::int64_t>(resolved, "checkpoint.every_seconds");
  run.validate_patience = at<std::int64_t>(resolved, "validate.patience");
  run.checkpoint_keep_every = at<std::int64_t>(resolved, "checkpoint.keep_every");
  run.checkpoint_keep = at<int>(resolved, "checkpoint.keep");
  run.log_every = at<std::int64_t>(resolved, "log.every");
  run.tensorboard = at<bool>(resolved, "monitor.tensorboard");
  run.resolved = std::move(resolved);
  return run;
}

}  // namespace

std::vector<std::string> differing_keys(const Json& one, const Json& other) {
  std::vector<std::string> differences;
  const Json a = deciding_keys(one), b = deciding_keys(other);
  const auto compare = [&](const Json& left, const Json& right, const char* missing_left) {
    for (const auto& [path, value] : left.items()) {
      const bool there = right.contains(path);
      if (missing_left && there) continue;
      if (there && right[path] == value) continue;
      const std::string theirs = there ? right[path].dump() : "not set";
      differences.push_back(missing_left ? fmt::format("{}: not set, {}", path, value.dump())
                                         : fmt::format("{}: {}, {}", path, value.dump(), theirs));
    }
  };
  compare(a, b, nullptr);
  compare(b, a, "");
  return differences;
}

Json deciding_keys(const Json& resolved) {
  try {
    return keys_that_decide(resolved, Schema(run_options(resolved.at("method"))));
  } catch (const std::exception&) {  // of a method that this program does not have
    return keys_that_decide(resolved, Schema({}));
  }
}

const Schema& RunResolver::schema(const std::string& method) {
  const auto found = schemas_.find(method);
  return found != schemas_.end() ? found->second
                                 : schemas_.emplace(method, run_options(method)).first->second;
}

// Where the weights of the start lie becomes absolute, and what they are is looked up unless it is
// given. Hashing a file takes long enough to do it once for each.
void RunResolver::settle_init(Json& init, const std::string& where) {
  for (const Json& beginning : init["only"]) {
    if (init["weights"] == "" && init["identity"] == "") {
      throw_error<ConfigError>(
          "{}: init.only is {}, but init.weights names nothing to take it from", where,
          init["only"].dump());
    }
    if (beginning == "") {
      throw_error<ConfigError>(
          "{}: init.only holds an empty name, with which every tensor begins. Leave init.only out "
          "to take all",
          where);
    }
  }
  if (init["weights"] == "") return;
  const std::string path =
      std::filesystem::absolute(init["weights"].get<std::string>()).lexically_normal().string();
  init["weights"] = path;
  if (init["identity"] != "") return;
  try {
    std::string& identity = weights_[path];
    if (identity.empty()) identity = initial_weights_identity(path);
    init["identity"] = identity;
  } catch (const Error& error) {
    throw_error<ConfigError>("{}: init.weights: {}", where, error.what());
  }
}

// Making a network takes long enough to ask once for each.
void RunResolver::check_patch(const RunConfig& run, const std::string& where) {
  const std::string key = Json{run.method, run.width, run.method_options, *run.patch}.dump();
  if (fitting_.contains(key)) return;
  const auto method =
      methods::make_method(run.method, data::ModalitySet{{"FLAIR", "T1", "T1c", "T2"}}, run.width,
                           run.method_options, run.patch);
  worker::check_patch(*method, *run.patch, where);
  fitting_.insert(key);
}

RunConfig RunResolver::resolve(const Json& given, const std::string& where,
                               const std::vector<std::string>& settings, bool saved) {
  Json user = given;
  if (!user.is_object()) {
    throw_error<ConfigError>("{}: expected a JSON object, such as {{\"method\": \"unet\"}}", where);
  }
  saved = user.erase(kProvenanceKey) > 0 || saved;
  if (user.contains("data") && user["data"].is_string()) user["data"] = {{"cache", user["data"]}};
  for (const std::string& setting : settings) set_path(user, setting);
  if (!user.contains("method") || !user["method"].is_string()) {
    throw_error<ConfigError>("{}: key \"method\" is missing. `lacuna methods` lists them.", where);
  }
  const Schema& schema = this->schema(user["method"].get<std::string>());
  if (saved) schema.complete(user);
  Json resolved = schema.resolve(user, where);
  normalise_integers(resolved, schema.options());
  Json& every = resolved["validate"]["every"];
  if (every.is_null()) {
    every = std::max<std::int64_t>(1, resolved["train"]["steps"].get<std::int64_t>() / 10);
  }
  Json& cache = resolved["data"]["cache"];
  if (!cache.get<std::string>().empty()) {
    cache = std::filesystem::absolute(cache.get<std::string>()).lexically_normal().string();
  }
  settle_init(resolved["init"], where);
  RunConfig run = read_fields(std::move(resolved), where);
  run.hash = hash_of(keys_that_decide(run.resolved, schema));
  if (run.patch) check_patch(run, where);
  return run;
}

RunConfig resolve_run(const Json& user, const std::string& where,
                      const std::vector<std::string>& settings) {
  return RunResolver().resolve(user, where, settings);
}

RunConfig resolve_saved_run(const Json& saved, const std::string& where) {
  return RunResolver().resolve(saved, where, {}, /*saved=*/true);
}

}  // namespace lacuna::worker
