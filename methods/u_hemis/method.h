// U-HeMIS: hetero-modal image segmentation (Havaei et al., MICCAI 2016, arXiv 1607.05194) in the
// form of a U-Net (Dorent et al., MICCAI 2019, arXiv 1907.11150; code ReubenDo/U-HVED,
// extensions/u_hemis).
//
//   f_m,l = encoder of modality m, level l = 1..4
//   fused_l = [mean of f_m,l over the present m, their population variance]
//   logits of background, necrosis, oedema, enhancing tumour = decoder(fused_1 .. fused_4)
//   loss = cross entropy + Dice + (1/K) sum over the K kernels of 1e-5 / 2 |W|^2
//
// What is missing is removed, not replaced: any number of modalities can be averaged. Evaluation
// encodes each modality once, whatever subsets are asked for. Not thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "methods/method.h"
#include "methods/registry.h"
#include "methods/shared/hetero_modal.h"
#include "methods/shared/modality_order.h"
#include "methods/shared/option_binding.h"

namespace lacuna::methods::u_hemis {

struct Options {
  double dice_numerator = 1e-5, decay = 1e-5;
};

const OptionBinding<Options>& binding();

// Features of one level, a tensor N x C x D x H x W per modality -> N x 2C x D x H x W. Exactly 0
// variance where one modality is present. Differentiable; an encoder whose modality no sample has
// gets no gradient.
at::Tensor fuse_moments(const std::vector<at::Tensor>& features,
                        const std::vector<SubsetMask>& subsets);

class Method final : public methods::Method {
 public:
  explicit Method(const MethodSettings& settings);

  torch::nn::Module& module() override { return *module_; }
  std::vector<int> published_channels() const override { return order_.channels(); }
  std::vector<ParameterGroup> groups() override { return hetero_groups(*module_); }
  std::vector<Stage> stages(std::int64_t steps) const override { return hetero_stages(steps); }
  data::DataRecipe recipe() const override { return hetero_recipe(patch_); }
  InferenceRecipe inference() const override { return hetero_inference(patch_); }
  data::Extent extent_multiple() const override { return {1, 1, 1}; }
  void initialise() override { models::initialise_truncated(*module_); }
  Loss loss(const std::string& phase, const Batch& batch, const Progress& progress) override;
  at::Tensor forward(const at::Tensor& image, SubsetMask subset) override;
  // Level features of every modality: modality by modality, finest level first.
  Features encode(const at::Tensor& image) override;
  at::Tensor decode(const Features& features, const std::vector<SubsetMask>& subsets) override;

 private:
  at::Tensor decode_each(const Features& features, const std::vector<SubsetMask>& per_sample) const;

  Options options_;
  data::Extent patch_;
  ModalityOrder order_;  // of the published code alone: the network does not mind
  std::shared_ptr<torch::nn::Module> module_ = std::make_shared<torch::nn::Module>();
  std::vector<std::shared_ptr<models::HeteroEncoder>> encoders_;  // by modality of the cohort
  std::shared_ptr<models::HeteroDecoder> decoder_;
};

const MethodEntry& entry();

}  // namespace lacuna::methods::u_hemis
