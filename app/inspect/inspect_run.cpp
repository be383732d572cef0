#include <algorithm>

#include <fmt/core.h>

#include "app/inspect/inspect.h"
#include "base/error.h"
#include "base/files/hash.h"
#include "base/files/json_lines.h"
#include "base/files/tensor_file.h"
#include "base/text/parse_json.h"

namespace lacuna::app {
namespace {

namespace fs = std::filesystem;

// The last line of a JSON-lines file that is whole: a running process may be writing the next.
Json last_line(const fs::path& path) {
  Json last;
  for_each_json_line(path, [&](const Json& line) { last = line; });
  return last;
}

// Why a file is not what the manifest says, or "".
std::string file_problem(const fs::path& path, const Json& entry) {
  if (!fs::exists(path)) return path.string() + ": is missing";
  if (fs::file_size(path) != entry.at("bytes").get<std::uint64_t>()) {
    return fmt::format("{}: has {} bytes, the manifest says {}", path.string(), fs::file_size(path),
                       entry.at("bytes").dump());
  }
  if (hash_file_hex(path) != entry.at("xxh3")) {
    return path.string() + ": does not match its checksum";
  }
  return "";
}

}  // namespace

Json inspect_tensors(const fs::path& path) {
  const TensorFile file(path);
  Json tensors = Json::array();
  std::int64_t elements = 0;
  for (const TensorView& tensor : file.tensors()) {
    tensors.push_back(
        {{"name", tensor.name}, {"type", safetensors_name(tensor.type)}, {"shape", tensor.shape}});
    elements += static_cast<std::int64_t>(tensor.bytes.size() / size_of(tensor.type));
  }
  return {{"kind", "safetensors"},
          {"tensors", tensors},
          {"elements", elements},
          {"metadata", file.metadata()},
          {"problems", Json::array()}};
}

Json inspect_checkpoint(const fs::path& path) {
  Json problems = Json::array(), files = Json::array(), step;
  try {
    const Json manifest = read_json(path / "manifest.json");
    step = manifest.at("step");
    for (const auto& [name, entry] : manifest.at("files").items()) {
      const std::string problem =
          name.empty() || fs::path(name).filename() != name || name == ".."
              ? fmt::format("{}: names {}, which is not a file of the checkpoint",
                            (path / "manifest.json").string(), Json(name).dump())
              : file_problem(path / name, entry);
      files.push_back({{"name", name}, {"bytes", entry.at("bytes")}, {"whole", problem.empty()}});
      if (!problem.empty()) problems.push_back(problem + ". An older checkpoint is used instead.");
    }
  } catch (const Json::exception& error) {
    problems.push_back(
        fmt::format("{}: damaged: {}", (path / "manifest.json").string(), error.what()));
  } catch (const ConfigError& error) {  // not JSON
    problems.push_back(error.what());
  }
  Json state;
  if (problems.empty() && fs::exists(path / "state.json")) state = read_json(path / "state.json");
  return {{"kind", "checkpoint"},
          {"step", step},
          {"files", files},
          {"state", state},
          {"problems", problems}};
}

Json inspect_run(const fs::path& path) {
  Json problems = Json::array(), checkpoints = Json::array();
  const Json run = read_json(path / "run.json");
  if (fs::is_directory(path / "checkpoints")) {
    std::vector<fs::path> directories;
    for (const auto& entry : fs::directory_iterator(path / "checkpoints")) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("step-") && name.find('.') == std::string::npos) {
        directories.push_back(entry.path());
      }
    }
    std::sort(directories.begin(), directories.end());
    for (const fs::path& directory : directories) {
      const Json found = inspect_checkpoint(directory);
      const bool whole = found.at("problems").empty();
      checkpoints.push_back({{"name", directory.filename().string()}, {"whole", whole}});
      for (const Json& problem : found.at("problems")) problems.push_back(problem);
    }
  }
  Json lease;
  if (fs::exists(path / "lease")) lease = last_line(path / "lease");
  return {{"kind", "run"},
          {"run", run},
          {"checkpoints", checkpoints},
          {"last_metrics", last_line(path / "metrics.jsonl")},
          {"last_event", last_line(path / "events.jsonl")},
          {"lease", lease},
          {"problems", problems}};
}

}  // namespace lacuna::app
