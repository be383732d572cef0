#include "worker/run/import_checkpoint.h"

#include "base/error.h"
#include "methods/registry.h"
#include "worker/run/run_files.h"
#include "worker/run/run_progress.h"
#include "worker/state/checkpoint_store.h"
#include "worker/state/training_state.h"

namespace lacuna::worker {
namespace {

std::vector<std::byte> text_bytes(const std::string& text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

}  // namespace

methods::ImportReport import_checkpoint(const RunConfig& config,
                                        const std::filesystem::path& weights,
                                        const std::filesystem::path& run_directory) {
  if (std::filesystem::exists(run_directory / "run.json")) {
    throw_error<ConfigError>("{}: holds a run already. Choose another --out.",
                             run_directory.string());
  }
  const data::ModalitySet modalities({"FLAIR", "T1", "T1c", "T2"});
  const auto method = methods::make_method(config.method, modalities, config.width,
                                           config.method_options, config.patch);
  const methods::ImportReport report = methods::import_weights(*method, weights);

  FileSystem& files = posix_file_system();
  files.make_directories(run_directory);
  write_durably(files, run_directory / "run.json", config.resolved.dump(2) + "\n");
  Json state = RunProgress().to_json();
  state["run"] = config.resolved;
  state["cohort"] = {{"modalities", modalities.names()}, {"imported_from", weights.string()}};
  const auto model = encode(copy_to_host(named_tensors(*method)));
  std::map<std::string, std::vector<std::byte>> contents = {
      {"model.safetensors", model}, {"state.json", text_bytes(state.dump(2) + "\n")}};
  if (config.ema > 0) contents["ema.safetensors"] = model;
  CheckpointStore(files, run_directory / "checkpoints", /*keep=*/1).save(0, contents);
  return report;
}

}  // namespace lacuna::worker
