#include "worker/state/checkpoint_store.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/files/hash.h"
#include "base/text/parse_json.h"

namespace lacuna::worker {
namespace {

constexpr const char* kManifest = "manifest.json";
constexpr std::string_view kPrefix = "step-";
constexpr const char *kPartial = ".partial", *kDeleted = ".deleted", *kReplaced = ".replaced",
                     *kRejected = ".rejected";
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

std::optional<std::int64_t> step_of(std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  std::int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return step;
}

// The step of "step-00000040.deleted" for ".deleted".
std::optional<std::int64_t> step_with(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return std::nullopt;
  return step_of(name.substr(0, name.size() - suffix.size()));
}

// A manifest that was made by somebody else must not make us read, or name, a file elsewhere.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

}  // namespace

CheckpointStore::CheckpointStore(FileSystem& files, Path directory, int keep)
    : files_(files), directory_(std::move(directory)), keep_(keep) {}

Path CheckpointStore::path(std::int64_t step) const {
  return directory_ / fmt::format("{}{:08}", kPrefix, step);
}

void CheckpointStore::save(std::int64_t step,
                           const std::map<std::string, std::vector<std::byte>>& contents) {
  const Path partial = path(step).string() + kPartial;
  try {
    write(partial, step, contents);
    put_in_place(partial, step);
  } catch (...) {
    try {  // the space that it took may be what others wait for
      if (files_.exists(partial)) files_.remove_all(partial);
    } catch (const DataError&) {
      // The first failure is the one to report; prune() tries again.
    }
    throw;
  }
  files_.sync_directory(directory_);
  vouched_.insert(step);
  last_saved_ = step;
}

// A run that comes by again, or saves a step twice: the older one goes only when the new one is
// under its name.
void CheckpointStore::put_in_place(const Path& partial, std::int64_t step) {
  if (!files_.exists(path(step))) {
    files_.rename(partial, path(step));
    return;
  }
  const Path former = set_aside(step, kReplaced);
  try {
    files_.rename(partial, path(step));
  } catch (...) {
    files_.rename(former, path(step));
    throw;
  }
}

void CheckpointStore::write(const Path& partial, std::int64_t step,
                            const std::map<std::string, std::vector<std::byte>>& contents) {
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
}

// Under the suffix, or with a number behind it where that name is taken by one that will not go.
Path CheckpointStore::set_aside(std::int64_t step, const char* suffix) {
  Path aside = path(step).string() + suffix;
  try {
    if (files_.exists(aside)) files_.remove_all(aside);
  } catch (const DataError&) {
    for (int n = 2; files_.exists(aside); ++n) {
      aside = fmt::format("{}-{}{}", path(step).string(), n, suffix);
    }
  }
  files_.rename(path(step), aside);
  return aside;
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

// Between the two renames of a save that replaces there is a moment without the final name.
void CheckpointStore::finish_interrupted() {
  if (!files_.exists(directory_)) return;
  for (const std::string& name : files_.list(directory_)) {
    const auto step = step_with(name, kReplaced);
    if (!step || files_.exists(path(*step))) continue;
    const Path partial = path(*step).string() + kPartial;
    const bool whole = files_.exists(partial) && !problem(partial);
    files_.rename(whole ? partial : directory_ / name, path(*step));
    files_.sync_directory(directory_);
  }
}

bool CheckpointStore::vouch(std::int64_t step) {
  if (problem(path(step))) return false;
  vouched_.insert(step);
  return true;
}

std::optional<std::int64_t> CheckpointStore::claim(const Rejected& rejected) {
  finish_interrupted();
  std::vector<std::string> ignored;
  remove_leftovers(ignored);
  for (const std::int64_t step : steps()) {
    const auto reason = problem(path(step));
    if (!reason) {
      vouched_.insert(step);
      return step;
    }
    try {
      // What cannot be read today may be whole tomorrow.
      if (!unreadable_) set_aside(step, kRejected);
    } catch (const DataError&) {
      // It stays under its name: prune() does not count it, and a save replaces it.
    }
    if (rejected) rejected(path(step), *reason);
  }
  return std::nullopt;
}

void CheckpointStore::attempt(const Path& about, const std::function<void()>& action,
                              std::vector<std::string>& failed) {
  try {
    action();
    told_.erase(about);
  } catch (const DataError& error) {
    if (told_.insert(about).second) failed.emplace_back(error.what());
  }
}

void CheckpointStore::remove_leftovers(std::vector<std::string>& failed) {
  attempt(
      directory_,
      [&] {
        if (!files_.exists(directory_)) return;
        for (const std::string& name : files_.list(directory_)) {
          const bool over =
              name.starts_with(kPrefix) &&
              (name.ends_with(kPartial) || name.ends_with(kDeleted) || name.ends_with(kReplaced));
          if (!over) continue;
          attempt(
              directory_ / name, [&] { files_.remove_all(directory_ / name); }, failed);
        }
      },
      failed);
}

std::vector<std::string> CheckpointStore::prune(const std::set<std::int64_t>& kept) {
  std::vector<std::string> failed;
  remove_leftovers(failed);
  if (vouched_.size() < static_cast<std::size_t>(keep_)) return failed;
  const std::int64_t oldest_kept = *std::next(vouched_.rbegin(), keep_ - 1);
  std::vector<std::int64_t> all;
  attempt(
      directory_, [&] { all = steps(); }, failed);
  for (const std::int64_t step : all) {
    if (step >= oldest_kept || kept.contains(step) || step == last_saved_) continue;
    attempt(
        path(step),
        [&] {
          set_aside(step, kDeleted);
          vouched_.erase(step);
          // Only now may its files go: a power cut must not bring the name back without them.
          files_.sync_directory(directory_);
        },
        failed);
  }
  remove_leftovers(failed);
  return failed;
}

std::optional<std::string> CheckpointStore::problem(const Path& directory) const {
  unreadable_ = false;
  try {
    if (!files_.exists(directory / kManifest)) return "it has no manifest.json";
    const auto raw = files_.read(directory / kManifest);
    const Json manifest = parse_json_line({reinterpret_cast<const char*>(raw.data()), raw.size()});
    if (!manifest.is_object()) return "manifest.json is damaged (not valid JSON)";
    if (manifest.at("format") != kFormat) {
      return fmt::format("its format is {}, this program reads {}", manifest.at("format").dump(),
                         kFormat);
    }
    for (const auto& [name, entry] : manifest.at("files").items()) {
      if (!is_plain_name(name)) {
        return fmt::format("manifest.json names {}, which is not a file of the checkpoint",
                           Json(name).dump());
      }
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
    unreadable_ = true;
    return std::string(error.what());
  }
  return std::nullopt;
}

std::optional<std::int64_t> CheckpointStore::newest_valid(const Rejected& rejected) const {
  for (const std::int64_t step : steps()) {
    const auto reason = problem(path(step));
    if (!reason) return step;
    if (rejected) rejected(path(step), *reason);
  }
  return std::nullopt;
}

}  // namespace lacuna::worker
