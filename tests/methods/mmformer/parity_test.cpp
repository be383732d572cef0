// mmFormer against the published code: outputs, losses and gradient norms for weights and inputs
// that a formula makes (tests/parity/README.md); crop 32^3, a token grid of 2^3.
#include "methods/mmformer/method.h"
#include "tests/methods/brain_box_parity.h"

namespace lacuna::methods::mmformer {
namespace {

const ParityVectors& vectors() {
  static const ParityVectors made("mmformer");
  return made;
}

Method& method(const Json& example, at::ScalarType type) {
  return filled_method<Method>(binding().declared(), padding_of(example), data::Extent{32, 32, 32},
                               type);
}

TEST(MmformerParity, WeightsAreThoseOfTheFillFormula) {
  expect_filled_weights(method(vectors().named("all"), at::kFloat), vectors());
}

TEST(MmformerParity, OutputsOfSubsetsAgree) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (const char* name : {"all", "FLAIR", "T1c+T2", "T1", "all/zero_padding"}) {
      const Json& example = vectors().named(name);
      expect_output(method(example, type), vectors(), example, type);
    }
  }
}

TEST(MmformerParity, EncodersAndTokensAgreeInDouble) {
  const torch::NoGradGuard no_grad;
  const Json& example = vectors().named("all");
  Method& mmformer = method(example, at::kDouble);
  const at::Tensor image = vectors().input(example, at::kDouble);  // the network's own order
  const Network::Encoded flair = mmformer.network().encode(image.narrow(1, 0, 1), 0, {});
  std::map<std::string, at::Tensor> found = {{"FLAIR_intra_tokens", flair.tokens}};
  for (std::size_t level = 0; level < 5; ++level) {
    found["FLAIR_x" + std::to_string(level + 1)] = flair.levels[level];
  }
  int compared = 0;
  for (const Json& about : example["intermediates"]) {
    const auto what = about["what"].get<std::string>();
    if (!found.contains(what)) continue;
    SCOPED_TRACE(what);
    expect_moments(found[what], about, 1e-9);
    EXPECT_LT(vectors().sample_error(found[what], about), 1e-6);
    ++compared;
  }
  EXPECT_EQ(compared, 6);
}

// With them card, check 10: {modality}_decode_conv takes no part, which the vectors say, too.
TEST(MmformerParity, LossesAndGradientsAgreeInDouble) {
  for (const char* name : {"train/T1c+T2", "train_batch2", "train/zero_padding"}) {
    const Json& example = vectors().named(name);
    const Comparison result =
        expect_phase(method(example, at::kDouble), vectors(), example, {}, at::kDouble);
    if (!example.contains("gradients")) continue;
    expect_gradients(result, example, 1e-8, 1e-9);
    int unused = 0;
    for (const auto& [parameter, norm] : result.gradients) {
      EXPECT_EQ(norm.has_value(), !example["gradients"][parameter].is_null()) << parameter;
      unused += norm.has_value() ? 0 : 1;
    }
    EXPECT_EQ(unused, 8);
  }
}

TEST(MmformerParity, LossesAndGradientsAgreeInFloat) {
  for (const char* name : {"train/T1c+T2", "train/zero_padding"}) {
    const Json& example = vectors().named(name);
    const Comparison result =
        expect_phase(method(example, at::kFloat), vectors(), example, {}, at::kFloat);
    if (!example.contains("gradients")) continue;
    expect_gradients(result, example, 2e-3, 1e-5 * largest_gradient(result));
  }
}

}  // namespace
}  // namespace lacuna::methods::mmformer
