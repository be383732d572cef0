// Robust-MSeg: feature disentanglement and gated fusion (Chen et al., MICCAI 2019, arXiv
// 2002.09708; published code cchen-cc/Robust-Mseg).
//
//   image m -> content of m at four scales, style of m (8 numbers)
//   contents of what the subset has -> gates (models/gated_fusion.h) -> z_1 ... z_4 -> segmentation
//   z_4, style of m -> image of m, for every modality, dropped or not
//
//   L = cross entropy + Dice + 0.1 sum_m mean |x_m - rebuilt_m|
//       + 0.1 sum_m 1/2 sum (scale^2 + shift^2 - 1 - ln shift^2) + 1e-4 |W|^2 / 2
//
// with scale and shift as the style of m sets them in its decoder. The decay is of kernels but of
// gates, fusions and G_logit; Adam adds it to the gradient. Raw outputs: logits of background,
// necrosis, oedema, enhancing tumour. Evaluation encodes each modality once. Any number of
// modalities. Not thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "methods/method.h"
#include "methods/registry.h"
#include "methods/robust_mseg/network.h"
#include "methods/robust_mseg/options.h"
#include "methods/shared/modality_order.h"

namespace lacuna::methods::robust_mseg {

class Method final : public methods::Method {
 public:
  explicit Method(const MethodSettings& settings);

  torch::nn::Module& module() override { return *network_; }
  std::vector<int> published_channels() const override { return order_.channels(); }
  std::vector<ParameterGroup> groups() override;
  std::vector<Stage> stages(std::int64_t steps) const override;
  data::DataRecipe recipe() const override { return gated_recipe(patch_); }
  InferenceRecipe inference() const override;
  data::Extent extent_multiple() const override { return kGatedMultiple; }

  void initialise() override;
  Loss loss(const std::string& phase, const Batch& batch, const Progress& progress) override;

  at::Tensor forward(const at::Tensor& image, SubsetMask subset) override;
  // Per modality its shares: gates of each level, then features of each level.
  Features encode(const at::Tensor& image) override;
  at::Tensor decode(const Features& features, const std::vector<SubsetMask>& subsets) override;

  Network& network() { return *network_; }
  const ModalityOrder& order() const { return order_; }

 private:
  Options options_;
  ModalityOrder order_;
  data::Extent patch_;
  std::shared_ptr<Network> network_;
};

// Sum over the code of a sample, N: 1/2 sum (scale^2 + shift^2 - 1 - ln max(shift^2, epsilon)).
at::Tensor style_divergence(const Style& style, double epsilon);

const MethodEntry& entry();

}  // namespace lacuna::methods::robust_mseg
