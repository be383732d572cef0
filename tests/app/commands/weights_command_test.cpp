// lacuna weights: a state_dict as the published code has it becomes a run, and comes out again.
#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/tensor_file.h"
#include "base/text/json.h"
#include "tests/run_program.h"

namespace lacuna {
namespace {

using ::testing::HasSubstr;

struct Named {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<float> values;
  std::vector<std::int64_t> counts = {};  // in place of values: what counts batches
};

// The tensors of a narrow network as `weights list` names them, each element different.
std::vector<Named> narrow_state(const std::string& method = "mckd") {
  std::istringstream lines(run_program("weights list " + method + " --width 0.0625").out);
  std::vector<Named> tensors;
  float next = 0;
  for (std::string line; std::getline(lines, line) && !line.starts_with("total");) {
    std::istringstream words(line);
    Named tensor;
    std::string shape;
    words >> tensor.name >> shape;
    std::replace(shape.begin(), shape.end(), 'x', ' ');
    std::istringstream extents(shape);
    std::size_t count = 1;
    for (std::int64_t extent; extents >> extent;) {
      tensor.shape.push_back(extent);
      count *= static_cast<std::size_t>(extent);
    }
    if (tensor.name.ends_with("num_batches_tracked")) {
      tensor.counts.push_back(static_cast<std::int64_t>(tensors.size()));
    } else {
      for (std::size_t i = 0; i < count; ++i) tensor.values.push_back(next += 0.25f);
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

TensorView view_of(const Named& tensor) {
  if (!tensor.counts.empty()) {
    return {tensor.name, DType::kI64, tensor.shape, std::as_bytes(std::span(tensor.counts))};
  }
  return {tensor.name, DType::kF32, tensor.shape, std::as_bytes(std::span(tensor.values))};
}

void write(const std::filesystem::path& path, const std::vector<Named>& tensors) {
  std::vector<TensorView> views;
  for (const Named& each : tensors) views.push_back(view_of(each));
  write_durably(posix_file_system(), path, encode_tensors(views));
}

class WeightsCommand : public ::testing::Test {
 protected:
  ProgramResult import(const std::vector<Named>& tensors,
                       const std::string& method = "mckd") const {
    const Json run = {
        {"method", method}, {"data", {{"cache", "cache"}}}, {"model", {{"width", 0.0625}}}};
    std::ofstream(directory_ / "run.json") << run.dump();
    write(directory_ / "in.safetensors", tensors);
    const std::string at = directory_.path().string();
    return run_program(
        fmt::format("weights import '{0}/run.json' --in '{0}/in.safetensors' --out '{0}/run'", at));
  }

  // Every tensor of `state` byte for byte, and nothing else.
  void expect_exported(const std::vector<Named>& state) const {
    const auto out = directory_ / "out.safetensors";
    const auto exported = run_program(
        fmt::format("weights export '{}' --out '{}'", (directory_ / "run").string(), out.string()));
    ASSERT_EQ(exported.code, 0) << exported.err;
    const TensorFile file(out);
    EXPECT_EQ(file.tensors().size(), state.size());
    for (const Named& each : state) {
      const TensorView wanted = view_of(each), *view = file.find(each.name);
      ASSERT_NE(view, nullptr) << each.name;
      EXPECT_EQ(view->type, wanted.type) << each.name;
      EXPECT_EQ(view->shape, wanted.shape) << each.name;
      ASSERT_EQ(view->bytes.size(), wanted.bytes.size()) << each.name;
      EXPECT_EQ(std::memcmp(view->bytes.data(), wanted.bytes.data(), view->bytes.size()), 0)
          << each.name;
    }
  }

  TemporaryDirectory directory_;
};

TEST_F(WeightsCommand, ImportIgnoresTheUnusedAttentionAndExportReturnsTheRest) {
  const auto state = narrow_state();
  ASSERT_EQ(state.size(), 222u);
  auto published = state;
  for (const char* name : {"in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"}) {
    published.push_back({std::string("multihead_attn.") + name, {2}, {1, 2}});
  }
  const auto imported = import(published);
  ASSERT_EQ(imported.code, 0) << imported.err;
  EXPECT_THAT(imported.out, HasSubstr("222 tensors read, 4 ignored"));

  expect_exported(state);
}

struct Layout {
  const char* method;
  std::size_t tensors;
};

class WeightsOf : public WeightsCommand, public ::testing::WithParamInterface<Layout> {};

// The cards' counts: ShaSpec 944 tensors and no buffers; MST-KDNet two networks of 403 parameters
// and 51 buffers, of which 17 are whole numbers, and the discriminator's 8.
TEST_P(WeightsOf, ThePublishedStateDictGoesInAndComesOutAgain) {
  const auto state = narrow_state(GetParam().method);
  ASSERT_EQ(state.size(), GetParam().tensors);
  const auto imported = import(state, GetParam().method);
  ASSERT_EQ(imported.code, 0) << imported.err;
  EXPECT_THAT(imported.out, HasSubstr(fmt::format("{} tensors read, 0 ignored", state.size())));
  expect_exported(state);
}

INSTANTIATE_TEST_SUITE_P(Methods, WeightsOf,
                         ::testing::Values(Layout{"shaspec", 944},
                                           Layout{"mst-kdnet", 2 * (403 + 51) + 8}),
                         [](const auto& about) {
                           std::string name = about.param.method;
                           std::erase(name, '-');
                           return name;
                         });

TEST_F(WeightsCommand, ImportNamesWhatDoesNotFit) {
  auto renamed = narrow_state();
  const std::string missing = renamed[7].name;
  renamed[7].name = "module." + missing;
  const auto result = import(renamed);
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr("1 tensors missing (" + missing + ")"));
  EXPECT_THAT(result.err, HasSubstr("1 unexpected (module." + missing + ")"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "run/run.json"));

  auto reshaped = narrow_state();
  reshaped[0].shape = {static_cast<std::int64_t>(reshaped[0].values.size())};
  EXPECT_THAT(import(reshaped).err, HasSubstr("Is model.width the same?"));
}

}  // namespace
}  // namespace lacuna
