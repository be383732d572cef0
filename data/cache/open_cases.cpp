#include "data/cache/open_cases.h"

#include <cstddef>

#include "base/error.h"
#include "base/text/log.h"

namespace lacuna::data {

OpenCases::OpenCases(const Cohort& cohort, int corrupt_limit, const StagedCases* staged)
    : cohort_(cohort),
      corrupt_limit_(corrupt_limit),
      staged_(staged),
      entries_(cohort.cases.size()) {}

void OpenCases::open(int case_index, Entry& entry) {
  const CaseInfo& info = cohort_.cases[static_cast<std::size_t>(case_index)];
  try {
    auto file = std::make_unique<CaseFile>(cohort_, info);
    // Reads the file once from end to end: damage is found here and never reaches a batch, and the
    // pages are in memory for the crops.
    file->verify();
    entry.file = std::move(file);
  } catch (const DataError& error) {
    entry.problem = error.what();
    const std::lock_guard lock(mutex_);
    ++skipped_;
    log::warn("case {} is left out ({} so far, limit {}): {}", info.id, skipped_, corrupt_limit_,
              entry.problem);
  }
}

void OpenCases::lose(int case_index, const std::string& problem) {
  Entry& entry = entries_[static_cast<std::size_t>(case_index)];
  const std::lock_guard lock(mutex_);
  if (entry.lost) return;
  entry.problem = problem;
  ++skipped_;
  log::warn("case {} is left out from now on ({} so far, limit {}): {}",
            cohort_.cases[static_cast<std::size_t>(case_index)].id, skipped_, corrupt_limit_,
            problem);
  entry.lost = true;
}

const CaseFile* OpenCases::find(int case_index) {
  Entry& entry = entries_[static_cast<std::size_t>(case_index)];
  const CaseFile* copy = staged_ ? staged_->find(case_index) : nullptr;
  if (copy != nullptr && !entry.lost) return copy;
  std::call_once(entry.once, [&] { open(case_index, entry); });
  if (entry.file && !entry.lost) return entry.file.get();
  const std::lock_guard lock(mutex_);
  if (skipped_ > corrupt_limit_) {
    const CaseInfo& info = cohort_.cases[static_cast<std::size_t>(case_index)];
    throw_error<DataError>("case {}, file {}: {} ({} unreadable cases, at most {} are left out)",
                           info.id, (cohort_.directory / info.file).string(), entry.problem,
                           skipped_, corrupt_limit_);
  }
  return nullptr;
}

std::int64_t OpenCases::skipped() const {
  const std::lock_guard lock(mutex_);
  return skipped_;
}

}  // namespace lacuna::data
