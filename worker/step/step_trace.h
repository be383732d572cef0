// A trace of some steps, in Chrome's format: operators, copies and kernels as torch's profiler sees
// them, under a range for each phase. Not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace at {
class RecordFunction;
}

namespace lacuna::worker {

class StepTrace {
 public:
  // steps: first and last that are traced; null: none. `file` is replaced.
  StepTrace(std::optional<std::pair<std::int64_t, std::int64_t>> steps, std::filesystem::path file);
  // Writes what was traced, also when the run stops among the steps. A file that cannot be written
  // is a warning: no training ends for it.
  ~StepTrace();
  StepTrace(const StepTrace&) = delete;
  StepTrace& operator=(const StepTrace&) = delete;

  // Step `step` (the first is 1) is about to be computed.
  void enter(std::int64_t step);

  // A named part of the timeline, while it lives.
  class Range {
   public:
    explicit Range(const std::string& name);
    ~Range();
    Range(const Range&) = delete;
    Range& operator=(const Range&) = delete;

   private:
    std::unique_ptr<at::RecordFunction> function_;
  };

 private:
  void begin();
  void end();

  std::optional<std::pair<std::int64_t, std::int64_t>> steps_;
  std::filesystem::path file_;
  bool tracing_ = false;
};

}  // namespace lacuna::worker
