// Tells Prometheus where a run is: a file for its file_sd discovery in a directory that runs share.
//
// The file appears when the port is bound and goes away with the object; it is written under
// another name and renamed, so that it is always whole. What killed processes left behind is swept
// by the next run that starts: on this host when the process is gone, of other hosts when the file
// was not refreshed for kStaleSeconds. refresh() is to be called more often than that. Not
// thread-safe.
#pragma once

#include <filesystem>
#include <string>

#include "base/text/json.h"

namespace lacuna::monitoring {

struct Target {
  std::string run;      // label; also in the name of the file
  std::string address;  // that Prometheus can reach: "127.0.0.1:4711"
  std::string job_id;   // of the batch system; may be empty
};

class TargetFile {
 public:
  static constexpr double kStaleSeconds = 600;

  // Makes the directory if need be. Throws DataError when the file cannot be written.
  TargetFile(std::filesystem::path directory, const Target& target);
  ~TargetFile();
  TargetFile(const TargetFile&) = delete;
  TargetFile& operator=(const TargetFile&) = delete;

  // Marks the file as alive; writes it again when somebody has removed it. Never throws.
  void refresh() noexcept;

  const std::filesystem::path& path() const { return path_; }

 private:
  void write() const;

  const std::filesystem::path directory_, path_;
  const Json content_;
};

// Removes the target files of runs that are gone; gives how many.
int sweep_targets(const std::filesystem::path& directory);

}  // namespace lacuna::monitoring
