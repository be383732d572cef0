// MedMAP: modality alignment as a plug-in (arXiv 2408.09465). Another method, its host, is built
// with the alignment before its network; stages, groups, losses and prediction are the host's. The
// loss of the phase that trains through the alignment becomes
//
//   L_host + alpha L_A.
//
// The alignment is the child `medmap` of the host's module, so the host's weights keep their names;
// its parameters join the first group of the host's first phase, or, where the host
// is given what stands behind it, stay as they were given. Not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "methods/medmap/alignment.h"
#include "methods/medmap/options.h"
#include "methods/method.h"
#include "methods/registry.h"

namespace lacuna::methods::medmap {

class Method final : public methods::Method {
 public:
  // Throws ConfigError for what the host cannot do.
  explicit Method(const MethodSettings& settings);

  torch::nn::Module& module() override { return host_->module(); }
  std::vector<std::string> ignored_official_names() const override {
    return host_->ignored_official_names();
  }
  std::map<std::string, std::vector<double>> fill_exceptions() const override {
    return host_->fill_exceptions();
  }
  std::vector<int> published_channels() const override { return host_->published_channels(); }
  std::vector<ParameterGroup> groups() override;
  std::vector<Stage> stages(std::int64_t steps) const override { return host_->stages(steps); }
  data::DataRecipe recipe() const override { return host_->recipe(); }
  InferenceRecipe inference() const override { return host_->inference(); }
  std::optional<SubsetMask> serves() const override { return host_->serves(); }
  // What the host needs, and the alignment that it was trained behind.
  std::vector<std::string> given_tensors() const override;
  data::Extent extent_multiple() const override { return host_->extent_multiple(); }

  void initialise() override;
  void begin_stage(int stage) override { host_->begin_stage(stage); }
  Loss loss(const std::string& phase, const Batch& batch, const Progress& progress) override;
  void end_phase(const std::string& phase, const Progress& progress) override {
    host_->end_phase(phase, progress);
  }
  void end_step(const Progress& progress) override { host_->end_step(progress); }
  std::vector<std::pair<std::string, double>> diagnostics() override;

  at::Tensor forward(const at::Tensor& image, SubsetMask subset) override {
    return host_->forward(image, subset);
  }
  Features encode(const at::Tensor& image) override { return host_->encode(image); }
  at::Tensor decode(const Features& features, const std::vector<SubsetMask>& subsets) override {
    return host_->decode(features, subsets);
  }
  void invalidate_evaluation_cache() override { host_->invalidate_evaluation_cache(); }

  Alignment& alignment() { return *alignment_; }

 private:
  Options options_;
  std::shared_ptr<Alignment> alignment_;
  std::unique_ptr<methods::Method> host_;
};

// A method that takes an input map.
struct Host {
  const MethodEntry* entry;
  bool maps_first_level;  // it has an encoder per modality
};
const std::vector<Host>& hosts();

const MethodEntry& entry();

}  // namespace lacuna::methods::medmap
