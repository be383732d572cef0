// Checkpoints on disk: CHECKPOINTS/step-NNNNNNNN/ with the files of one training state and a
// manifest.json (size and XXH3 of each file) that is written last.
//
// A checkpoint is built as step-NNNNNNNN.partial, every file synced, then renamed; deletion removes
// the manifest first. So a directory under its final name either verifies or is ignored. Format:
// docs/file-formats.md. Not thread-safe; one writer per directory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/files/file_system.h"
#include "base/text/json.h"

namespace lacuna::worker {

class CheckpointStore {
 public:
  // keep: newest checkpoints that prune() leaves. `files` must outlive the store.
  CheckpointStore(FileSystem& files, Path directory, int keep);

  // Durable when it returns. Throws DataError and leaves no trace but a .partial directory.
  void save(std::int64_t step, const std::map<std::string, std::vector<std::byte>>& contents);
  // Removes what is neither among the newest `keep` nor in `kept`, and unfinished directories.
  void prune(const std::set<std::int64_t>& kept);

  std::vector<std::int64_t> steps() const;  // of finished directories, newest first; unverified
  Path path(std::int64_t step) const;
  // Why the checkpoint at `directory` cannot be used, or nullopt when every file is as written.
  std::optional<std::string> problem(const Path& directory) const;
  // The newest checkpoint that verifies; `rejected` hears of each newer one that does not.
  std::optional<std::int64_t> newest_valid(
      const std::function<void(const Path&, const std::string& reason)>& rejected) const;

 private:
  void remove(const Path& directory);

  FileSystem& files_;
  Path directory_;
  int keep_;
};

}  // namespace lacuna::worker
