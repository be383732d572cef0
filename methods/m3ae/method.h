// M3AE: multi-modal masked auto-encoder (Liu et al., AAAI 2023, arXiv 2303.05302; published code
// ccarliu/m3ae, commit fdb2800).
//
// What is missing is replaced by a learnt image of the whole volume, cut where the window lies:
//
//   x' = x M + limage[place] (1 - M)
//   pretrain  M leaves an eighth of the patches of 16^3 voxels, none of dropped modalities;
//             |x - net(x')|^2 + 0.005 |limage - mean of its modality|; limage is trained
//   finetune  limage is frozen, M leaves out modalities, each case comes twice with a drop each;
//             E(u4 head) + E(u3 head) + E(final) + 0.1 |f_0 - f_1|^2,
//             E = mean over regions of 0.7 Dice + 0.3 BCE, sums over both copies
//
// with bottleneck features f. Intensities and axes are changed after the replacement, hence here
// and not in the data recipe. Not thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "methods/m3ae/network.h"
#include "methods/m3ae/options.h"
#include "methods/method.h"
#include "methods/registry.h"
#include "methods/shared/modality_order.h"

namespace lacuna::methods::m3ae {

class Method final : public methods::Method {
 public:
  explicit Method(const MethodSettings& settings);

  torch::nn::Module& module() override { return *module_; }
  std::vector<int> published_channels() const override { return order_.channels(); }
  std::vector<ParameterGroup> groups() override;
  std::vector<Stage> stages(std::int64_t steps) const override;
  data::DataRecipe recipe() const override;
  InferenceRecipe inference() const override;
  data::Extent extent_multiple() const override { return {kPatch, kPatch, kPatch}; }
  void initialise() override;
  // Segmentation starts from the pre-trained weights, all but the last layer's.
  void begin_stage(int stage) override;
  Loss loss(const std::string& phase, const Batch& batch, const Progress& progress) override;
  at::Tensor forward(const at::Tensor& image, SubsetMask subset) override;
  // The window in the network's order of modalities, and what stands in for them there.
  Features encode(const at::Tensor& image) override { return encode_at(image, {}); }
  Features encode_at(const at::Tensor& window, const WindowPlace& place) override;
  at::Tensor decode(const Features& features, const std::vector<SubsetMask>& subsets) override;

  Network& rebuilding() { return *rebuilding_; }
  Network& segmenting() { return *segmenting_; }
  // 1 where pre-training leaves a voxel: N x M x D x H x W, the network's order of modalities.
  at::Tensor visible(const Batch& batch, const Progress& progress) const;

 private:
  Loss rebuilding_loss(const Batch& batch, const Progress& progress) const;
  Loss segmentation_loss(const Batch& batch, const Progress& progress) const;
  // limage at the places of the samples: N x M x D x H x W.
  at::Tensor substitutes(const at::Tensor& image, const Batch& batch) const;

  Options options_;
  data::Extent patch_;
  ModalityOrder order_;
  std::vector<std::int64_t> kept_tokens_;
  std::shared_ptr<torch::nn::Module> module_ = std::make_shared<torch::nn::Module>();
  std::shared_ptr<Network> segmenting_, rebuilding_;
};

// 0.7 Dice + 0.3 binary cross entropy, the mean over channels and cases. logits: copies N x C x D x
// H x W, copy by copy; target: N x C x ...; Dice sums over the copies of a case.
at::Tensor region_error(const at::Tensor& logits, const at::Tensor& target, std::int64_t copies,
                        bool saturating = false);

const MethodEntry& entry();

}  // namespace lacuna::methods::m3ae
