#include "worker/step/step_trace.h"

#include <set>
#include <system_error>

#include <ATen/record_function.h>
#include <torch/csrc/autograd/profiler_kineto.h>
#include <torch/cuda.h>

#include "base/text/log.h"

namespace lacuna::worker {
namespace {

namespace profiler = torch::autograd::profiler;
using torch::profiler::impl::ActivityType;
using torch::profiler::impl::ProfilerConfig;
using torch::profiler::impl::ProfilerState;

}  // namespace

StepTrace::StepTrace(std::optional<std::pair<std::int64_t, std::int64_t>> steps,
                     std::filesystem::path file)
    : steps_(steps), file_(std::move(file)) {}

StepTrace::~StepTrace() { end(); }

void StepTrace::enter(std::int64_t step) {
  if (!steps_) return;
  if (step >= steps_->first && step <= steps_->second) begin();
  if (step > steps_->second) end();
}

void StepTrace::begin() {
  if (tracing_) return;
  std::set<ActivityType> activities{ActivityType::CPU};
  if (torch::cuda::is_available()) activities.insert(ActivityType::CUDA);
  const ProfilerConfig config(ProfilerState::KINETO, /*report_input_shapes=*/true);
  profiler::prepareProfiler(config, activities);
  profiler::enableProfiler(
      config, activities,
      {at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION, at::RecordScope::USER_SCOPE});
  tracing_ = true;
}

void StepTrace::end() {
  if (!tracing_) return;
  tracing_ = false;
  try {
    const auto result = profiler::disableProfiler();
    std::filesystem::create_directories(file_.parent_path());
    result->save(file_.string());
    if (!std::filesystem::exists(file_)) throw std::runtime_error("no file came to be");
    log::info("trace of steps {} to {}: {}", steps_->first, steps_->second, file_.string());
  } catch (const std::exception& error) {
    log::warn("the trace {} could not be written: {}", file_.string(), error.what());
  }
}

StepTrace::Range::Range(const std::string& name)
    : function_(std::make_unique<at::RecordFunction>(at::RecordScope::USER_SCOPE)) {
  if (function_->isActive()) function_->before(name);
}

StepTrace::Range::~Range() = default;

}  // namespace lacuna::worker
