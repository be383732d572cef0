// lacuna weights: a state_dict as the published code has it becomes a run, and comes out again.
#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "base/tensor_file.h"
#include "tests/run_program.h"

namespace lacuna {
namespace {

using ::testing::HasSubstr;

struct Named {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

// The tensors of a narrow MCKD as `weights list` names them, each element different.
std::vector<Named> narrow_state() {
  std::istringstream lines(run_program("weights list mckd --width 0.0625").out);
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
    for (std::size_t i = 0; i < count; ++i) tensor.values.push_back(next += 0.25f);
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

void write(const std::filesystem::path& path, const std::vector<Named>& tensors) {
  std::vector<TensorView> views;
  for (const Named& each : tensors) {
    views.push_back({each.name, DType::kF32, each.shape, std::as_bytes(std::span(each.values))});
  }
  write_durably(posix_file_system(), path, encode_tensors(views));
}

class WeightsCommand : public ::testing::Test {
 protected:
  WeightsCommand() {
    std::ofstream(directory_ / "run.json")
        << R"({"method": "mckd", "data": {"cache": "cache"}, "model": {"width": 0.0625}})";
  }

  ProgramResult import(const std::vector<Named>& tensors) const {
    write(directory_ / "in.safetensors", tensors);
    const std::string at = directory_.path().string();
    return run_program(
        fmt::format("weights import '{0}/run.json' --in '{0}/in.safetensors' --out '{0}/run'", at));
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

  const auto out = directory_ / "out.safetensors";
  const auto exported = run_program(
      fmt::format("weights export '{}' --out '{}'", (directory_ / "run").string(), out.string()));
  ASSERT_EQ(exported.code, 0) << exported.err;
  const TensorFile file(out);
  EXPECT_EQ(file.tensors().size(), state.size());
  for (const Named& each : state) {
    const TensorView* view = file.find(each.name);
    ASSERT_NE(view, nullptr) << each.name;
    EXPECT_EQ(view->shape, each.shape);
    ASSERT_EQ(view->bytes.size(), each.values.size() * sizeof(float));
    EXPECT_EQ(std::memcmp(view->bytes.data(), each.values.data(), view->bytes.size()), 0)
        << each.name;
  }
}

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
