// M2FTrans against the published code: outputs, losses and gradient norms for weights and inputs
// that a formula makes (tests/parity/README.md); crop 32^3, a token grid of 2^3.
#include "methods/m2ftrans/method.h"
#include "tests/methods/brain_box_parity.h"

namespace lacuna::methods::m2ftrans {
namespace {

const ParityVectors& vectors() {
  static const ParityVectors made("m2ftrans");
  return made;
}

Method& method(at::ScalarType type) {
  return filled_method<Method>(binding().declared(), "reflect", data::Extent{32, 32, 32}, type);
}

TEST(M2ftransParity, WeightsAreThoseOfTheFillFormula) {
  expect_filled_weights(method(at::kFloat), vectors());
}

TEST(M2ftransParity, OutputsOfSubsetsAgree) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (const char* name : {"all", "FLAIR", "T1c+T2", "T1"}) {
      expect_output(method(type), vectors(), vectors().named(name), type);
    }
  }
}

TEST(M2ftransParity, LossesAndGradientsAgreeInDouble) {
  for (const char* name : {"train/T1c+T2", "train_batch2"}) {
    const Json& example = vectors().named(name);
    const Comparison result =
        expect_phase(method(at::kDouble), vectors(), example, {}, at::kDouble);
    if (example.contains("gradients")) expect_gradients(result, example, 1e-8, 1e-9);
  }
}

TEST(M2ftransParity, LossesAndGradientsAgreeInFloat) {
  const Json& example = vectors().named("train/T1c+T2");
  const Comparison result = expect_phase(method(at::kFloat), vectors(), example, {}, at::kFloat);
  expect_gradients(result, example, 5e-3, 1e-5 * largest_gradient(result));
}

// Card 4: in the warm-up the outputs of single modalities alone count.
TEST(M2ftransParity, TheWarmUpHasATotalOfItsOwn) {
  MethodSettings settings;
  settings.options = Schema(binding().declared()).resolve({{"warm_up_epochs", 10}}, "test");
  settings.patch = data::Extent{32, 32, 32};
  Method warm(settings);
  fill_weights(warm, 1);
  warm.module().to(at::kDouble);
  const Json& example = vectors().named("train_batch2");
  expect_phase(warm, vectors(), example, {.steps = 1000, .stage_step = 9}, at::kDouble,
               "total_warmup");
  expect_phase(warm, vectors(), example, {.steps = 1000, .stage_step = 10}, at::kDouble);
}

}  // namespace
}  // namespace lacuna::methods::m2ftrans
