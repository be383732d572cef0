#include "experiments/sweep_directory.h"

#include <cstddef>

#include "base/error.h"

namespace lacuna::experiments {

SweepDirectory::SweepDirectory(const Path& root, FileSystem& files)
    : root_(std::filesystem::absolute(root).lexically_normal()), files_(files) {}

void SweepDirectory::store(const SweepDefinition& definition, const SweepPlan& plan) const {
  for (const char* name : {"runs", "configs", "logs", "jobs"}) {
    files_.make_directories(root_ / name);
  }
  write_durably(files_, definition_file(), definition.source.dump(2) + "\n");
  write_durably(files_, plan_file(), plan_text(plan));
}

SweepPlan SweepDirectory::read_plan() const {
  if (!has_plan()) {
    throw_error<DataError>(
        "{}: no sweep directory (no plan.json in it). Submit first: lacuna sweep submit SWEEP.json "
        "--out {}",
        root_.string(), root_.string());
  }
  const std::vector<std::byte> bytes = files_.read(plan_file());
  return plan_from_text({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                        plan_file().string());
}

void SweepDirectory::store_config(const std::string& id, const Json& resolved) const {
  const std::string text = resolved.dump(2) + "\n";
  const Path path = config(id);
  if (files_.exists(path)) {
    const std::vector<std::byte> there = files_.read(path);
    if (std::string(reinterpret_cast<const char*>(there.data()), there.size()) == text) return;
  }
  write_durably(files_, path, text);
}

std::unique_ptr<Lease> SweepDirectory::lock() const {
  files_.make_directories(root_);
  return std::make_unique<Lease>(root_);
}

}  // namespace lacuna::experiments
