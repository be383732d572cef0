#include "worker/state/checkpoint_store.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/files/hash.h"

namespace lacuna::worker {
namespace {

constexpr const char* kManifest = "manifest.json";
constexpr std::string_view kPrefix = "step-", kPartial = ".partial";
constexpr int kFormat = 1;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

void write_synced(FileSystem& files, const Path& path, std::span<const std::byte> bytes) {
  const auto file = files.create(path);
  file->append(bytes);
  file->sync();
  file->close();
}

std::optional<std::int64_t> step_of(const std::string& name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  std::int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return step;
}

}  // namespace

CheckpointStore::CheckpointStore(FileSystem& files, Path directory, int keep)
    : files_(files), directory_(std::move(directory)), keep_(keep) {}

Path CheckpointStore::path(std::int64_t step) const {
  return directory_ / fmt::format("{}{:08}", kPrefix, step);
}

void CheckpointStore::save(std::int64_t step,
                           const std::map<std::string, std::vector<std::byte>>& contents) {
  const Path final_path = path(step);
  const Path partial = final_path.string() + std::string(kPartial);
  files_.make_directories(directory_);
  if (files_.exists(partial)) files_.remove_all(partial);
  files_.make_directories(partial);
  Json entries = Json::object();
  for (const auto& [name, bytes] : contents) {
    write_synced(files_, partial / name, bytes);
    entries[name] = {{"bytes", bytes.size()}, {"xxh3", hash_hex(bytes)}};
  }
  const Json manifest = {{"format", kFormat}, {"step", step}, {"files", entries}};
  write_synced(files_, partial / kManifest, bytes_of(manifest.dump(2) + "\n"));
  files_.sync_directory(partial);
  // One that failed its check may stand in the way: a run that resumed before it comes by again.
  if (files_.exists(final_path)) remove(final_path);
  files_.rename(partial, final_path);
  files_.sync_directory(directory_);
}

void CheckpointStore::remove(const Path& directory) {
  if (files_.exists(directory / kManifest)) {
    files_.remove(directory / kManifest);
    files_.sync_directory(directory);
  }
  files_.remove_all(directory);
}

std::vector<std::int64_t> CheckpointStore::steps() const {
  std::vector<std::int64_t> found;
  if (!files_.exists(directory_)) return found;
  for (const std::string& name : files_.list(directory_)) {
    if (const auto step = step_of(name)) found.push_back(*step);
  }
  std::sort(found.rbegin(), found.rend());
  return found;
}

void CheckpointStore::prune(const std::set<std::int64_t>& kept) {
  for (const std::string& name : files_.list(directory_)) {
    if (name.ends_with(kPartial)) files_.remove_all(directory_ / name);
  }
  const std::vector<std::int64_t> all = steps();
  for (std::size_t i = static_cast<std::size_t>(keep_); i < all.size(); ++i) {
    if (!kept.contains(all[i])) remove(path(all[i]));
  }
}

std::optional<std::string> CheckpointStore::problem(const Path& directory) const {
  if (!files_.exists(directory / kManifest)) return "it has no manifest.json";
  try {
    const auto raw = files_.read(directory / kManifest);
    const auto* text = reinterpret_cast<const char*>(raw.data());
    const Json manifest = Json::parse(text, text + raw.size());
    if (manifest.at("format") != kFormat) {
      return fmt::format("its format is {}, this program reads {}", manifest.at("format").dump(),
                         kFormat);
    }
    for (const auto& [name, entry] : manifest.at("files").items()) {
      if (!files_.exists(directory / name)) return name + " is missing";
      const auto bytes = files_.read(directory / name);
      if (bytes.size() != entry.at("bytes").get<std::size_t>()) {
        return fmt::format("{} has {} bytes, the manifest says {}", name, bytes.size(),
                           entry.at("bytes").dump());
      }
      if (hash_hex(bytes) != entry.at("xxh3")) return name + " does not match its checksum";
    }
  } catch (const Json::exception& error) {
    return fmt::format("manifest.json is damaged ({})", error.what());
  } catch (const DataError& error) {
    return std::string(error.what());
  }
  return std::nullopt;
}

std::optional<std::int64_t> CheckpointStore::newest_valid(
    const std::function<void(const Path&, const std::string& reason)>& rejected) const {
  for (const std::int64_t step : steps()) {
    const auto reason = problem(path(step));
    if (!reason) return step;
    if (rejected) rejected(path(step), *reason);
  }
  return std::nullopt;
}

}  // namespace lacuna::worker
