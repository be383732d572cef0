// How PMKL makes training samples and segmentations, and what it says about itself.
#include "methods/pmkl/method.h"

namespace lacuna::methods::pmkl {

data::DataRecipe Method::recipe() const {
  data::DataRecipe recipe = gated_recipe(patch_);
  if (options_.zero_background) recipe.background = data::Background::kZero;
  if (options_.mirror) recipe.augmentation.mirror_probability = {0.5, 0.5, 0.5};
  return recipe;
}

InferenceRecipe Method::inference() const { return gated_inference(patch_, options_.classes()); }

const MethodEntry& entry() {
  static const MethodEntry entry = {
      .name = "pmkl",
      .title = "Privileged multimodal knowledge learning",
      .source =
          "\"Learning with Privileged Multimodal Knowledge for Unimodal Segmentation\", IEEE "
          "Transactions on Medical Imaging 41(3), 2022; published code cchen-cc/PMKL",
      .idea =
          "A teacher that sees all modalities, merged by voxel-wise gates, is trained first and "
          "fixed. A student that sees less learns from it voxel by voxel, where the teacher is "
          "right and better than itself, and image by image, whose embeddings of teacher and "
          "student are drawn together and those of different images apart. Published as one "
          "student per modality; by default here one student with zeros for what is missing "
          "serves all subsets.",
      .output =
          "logits of background, necrosis, oedema, enhancing tumour of the student, or with "
          "teacher=alone of the teacher (softmax follows)",
      .deviations =
          "The teacher's recipe is not published: it is the student's. One student for all "
          "subsets unless option subset asks for one of the published family. Without official: a "
          "batch in which the teacher is nowhere better has no voxel-wise distillation (published: "
          "not a number), squared distances of embeddings are at least 1e-12, biases begin at 0. "
          "Always: four classes, and a resection cavity is background (resection=class: a fifth); "
          "an epoch is a 200th of a stage; embedding heads follow the crop (published: 80^3); "
          "samples whose case lacks a modality are left out of what the teacher learns and "
          "teaches. Only the code and the abstract of the paper were available.",
      .options = binding().declared(),
      // 200 epochs of 300 steps for each of two stages.
      .run_defaults = R"({"train": {"steps": 120000, "batch": 4}})",
      .epochs = 200,
      .make = [](const MethodSettings& settings) -> std::unique_ptr<methods::Method> {
        return std::make_unique<Method>(settings);
      },
  };
  return entry;
}

}  // namespace lacuna::methods::pmkl
