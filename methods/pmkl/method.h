// PMKL: privileged multimodal knowledge for unimodal segmentation (Chen et al., IEEE TMI 2022;
// published code cchen-cc/PMKL).
//
//   teacher  all modalities, gated fusion (models/gated_fusion.h):  CE_t + Dice_t
//   student  what is left, a U-Net:  CE + Dice + 0.5 sum r k / sum r + 0.5 contrast
//            + 1e-5 |kernels|^2 / 2 (of the optimiser)
//   (losses/privileged_distillation.h)
//
// The teacher learns in a stage of its own, or comes from init.weights, and is fixed then; its
// embedding head learns with the student. Published is a family of students, one per modality, of
// one teacher: option `subset` makes one of them. Without it one student with zeros in place of
// what is missing serves all subsets. Samples whose case lacks a modality teach nothing: the
// teacher does not learn from them, nor the student from the teacher.
//
// Raw outputs: logits of background, necrosis, oedema, enhancing tumour. Not thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "methods/method.h"
#include "methods/pmkl/network.h"
#include "methods/pmkl/options.h"
#include "methods/registry.h"
#include "methods/shared/input_map.h"
#include "methods/shared/modality_order.h"

namespace lacuna::methods::pmkl {

class Method final : public methods::Method {
 public:
  explicit Method(const MethodSettings& settings);

  torch::nn::Module& module() override { return *module_; }
  std::vector<int> published_channels() const override { return order_.channels(); }
  std::vector<ParameterGroup> groups() override;
  std::vector<Stage> stages(std::int64_t steps) const override;
  data::DataRecipe recipe() const override;
  InferenceRecipe inference() const override;
  std::optional<SubsetMask> serves() const override { return serves_; }
  std::vector<std::string> given_tensors() const override;
  data::Extent extent_multiple() const override { return kGatedMultiple; }

  void initialise() override;
  Loss loss(const std::string& phase, const Batch& batch, const Progress& progress) override;
  at::Tensor forward(const at::Tensor& image, SubsetMask subset) override;

 private:
  bool teaches_only() const { return options_.teacher == Teacher::kAlone; }
  // available: what each sample's case has. training: its input map learns.
  models::MaskDecoder::Output teach(const at::Tensor& image,
                                    const std::vector<SubsetMask>& available, bool training) const;
  // What the student sees of each sample.
  at::Tensor student_input(const at::Tensor& image, const std::vector<SubsetMask>& subsets) const;
  Loss teacher_loss(const Batch& batch) const;
  Loss student_loss(const Batch& batch) const;

  Options options_;
  data::ModalitySet modalities_;
  ModalityOrder order_;
  data::Extent patch_;
  std::optional<SubsetMask> serves_;
  StudentInput input_ = StudentInput::kZeros;
  std::shared_ptr<torch::nn::Module> module_ = std::make_shared<torch::nn::Module>();
  std::shared_ptr<InputMap> map_;  // of the teacher alone; null: none
  std::shared_ptr<models::GatedNetwork> teacher_;
  std::shared_ptr<Student> student_;
  std::shared_ptr<EmbeddingHead> student_head_, teacher_head_;  // null: no contrast
};

const MethodEntry& entry();

}  // namespace lacuna::methods::pmkl
