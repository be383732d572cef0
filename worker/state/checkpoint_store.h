// Checkpoints on disk: CHECKPOINTS/step-NNNNNNNN/ with the files of one training state and a
// manifest.json (size and XXH3 of each file) that is written last.
//
// A checkpoint is built as step-NNNNNNNN.partial, every file synced, then renamed. One that is
// deleted is renamed to .deleted first, one that is replaced to .replaced, one that does not verify
// to .rejected (by the run that it belongs to). So a directory under its final name either verifies
// or is ignored, and a crash at any moment costs nothing that was durable. Format:
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
  // Hears of a checkpoint that does not verify.
  using Rejected = std::function<void(const Path&, const std::string& reason)>;

  // keep: newest checkpoints that prune() leaves. `files` must outlive the store.
  CheckpointStore(FileSystem& files, Path directory, int keep);

  // Durable when it returns. Throws DataError and gives the space back; what was there under this
  // step stays until the new one is whole.
  void save(std::int64_t step, const std::map<std::string, std::vector<std::byte>>& contents);

  // Of the writer of the directory: finishes what a crash interrupted, and chooses the newest
  // checkpoint that verifies. Each newer one is renamed .rejected, so that it is neither counted
  // nor met again, and told.
  std::optional<std::int64_t> claim(const Rejected& rejected);
  // Verifies and, when it is whole, vouches for it from now on.
  bool vouch(std::int64_t step);
  // Saved or verified by this object, and not pruned since.
  bool vouches_for(std::int64_t step) const { return vouched_.contains(step); }

  // Removes what is older than the newest `keep` that it vouches for, not in `kept` and not the one
  // saved last, and unfinished directories. Never fails: returns what could not be removed, each
  // only once; the next call tries again.
  std::vector<std::string> prune(const std::set<std::int64_t>& kept);

  std::vector<std::int64_t> steps() const;  // of finished directories, newest first; unverified
  Path path(std::int64_t step) const;
  // Why the checkpoint at `directory` cannot be used, or nullopt when every file is as written.
  std::optional<std::string> problem(const Path& directory) const;
  // The newest checkpoint that verifies; `rejected` hears of each newer one that does not. Changes
  // nothing on disk: for readers.
  std::optional<std::int64_t> newest_valid(const Rejected& rejected) const;

 private:
  void write(const Path& partial, std::int64_t step,
             const std::map<std::string, std::vector<std::byte>>& contents);
  void put_in_place(const Path& partial, std::int64_t step);
  Path set_aside(std::int64_t step, const char* suffix);
  void finish_interrupted();
  void remove_leftovers(std::vector<std::string>& failed);
  void attempt(const Path& about, const std::function<void()>& action,
               std::vector<std::string>& failed);

  FileSystem& files_;
  Path directory_;
  int keep_;
  std::set<std::int64_t> vouched_;
  std::optional<std::int64_t> last_saved_;
  std::set<Path> told_;              // could not be removed, and prune() has said so
  mutable bool unreadable_ = false;  // what problem() met was an error of the storage
};

}  // namespace lacuna::worker
