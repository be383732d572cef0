#include "data/cache/staging.h"

#include <optional>
#include <utility>

#include <unistd.h>

#include "base/error.h"

namespace lacuna::data {
namespace {

constexpr const char* kMemory = "/dev/shm";

CaseInfo at_path(const Cohort& cohort, int case_index, const Path& path) {
  CaseInfo info = cohort.cases[static_cast<std::size_t>(case_index)];
  info.file = path;  // absolute: the cache's directory does not count
  return info;
}

CaseFile open_whole(const Cohort& cohort, const CaseInfo& copy) {
  CaseFile file(cohort, copy);
  file.verify();
  return file;
}

std::optional<CaseFile> try_open(const Cohort& cohort, const CaseInfo& copy) {
  try {
    return open_whole(cohort, copy);
  } catch (const DataError&) {  // torn, or of another time: it is made anew
    return std::nullopt;
  }
}

std::vector<std::byte> read_original(const Cohort& cohort, int case_index) {
  const CaseInfo& info = cohort.cases[static_cast<std::size_t>(case_index)];
  return posix_file_system().read(cohort.directory / info.file);
}

// Removes the name of a copy; what is open stays.
struct Unnamed {
  Path path;
  ~Unnamed() { ::unlink(path.c_str()); }
};

}  // namespace

StagedCases::StagedCases(const Cohort& cohort, const std::vector<int>& cases,
                         const std::string& where) {
  for (const int index : cases) {
    if (where == "memory") {
      stage_in_memory(cohort, index);
    } else {
      stage_in_directory(cohort, index, std::filesystem::absolute(where) / cohort.fingerprint);
    }
  }
}

const CaseFile* StagedCases::find(int case_index) const {
  const auto found = files_.find(case_index);
  return found == files_.end() ? nullptr : &found->second;
}

void StagedCases::stage_in_memory(const Cohort& cohort, int case_index) {
  const auto bytes = read_original(cohort, case_index);
  const Unnamed copy{Path(kMemory) / fmt::format("lacuna-case-{}-{}", ::getpid(), case_index)};
  write_durably(posix_file_system(), copy.path, bytes);
  files_.emplace(case_index, open_whole(cohort, at_path(cohort, case_index, copy.path)));
  copied_ += bytes.size();
}

void StagedCases::stage_in_directory(const Cohort& cohort, int case_index, const Path& directory) {
  const std::string& id = cohort.cases[static_cast<std::size_t>(case_index)].id;
  const CaseInfo copy = at_path(cohort, case_index, directory / (id + ".h5"));
  FileSystem& files = posix_file_system();
  if (files.exists(copy.file)) {
    if (auto there = try_open(cohort, copy)) {
      files_.emplace(case_index, std::move(*there));
      return;
    }
  }
  const auto bytes = read_original(cohort, case_index);
  files.make_directories(directory);
  write_durably(files, copy.file, bytes);
  files_.emplace(case_index, open_whole(cohort, copy));
  copied_ += bytes.size();
}

}  // namespace lacuna::data
