#include "worker/run/initial_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/tensor_file.h"
#include "tests/worker/toy_run.h"
#include "worker/run/run_directory.h"

namespace lacuna::worker {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class InitialWeights : public ::testing::Test {
 protected:
  // A finished run; its average of the weights is what it is evaluated with.
  static const fs::path& teacher() {
    static const TemporaryDirectory folder;
    static const fs::path run = [] {
      EXPECT_EQ(train(toy_config(toy_cache()), folder / "teacher", toy_hooks()).code,
                ExitCode::kDone);
      return folder / "teacher";
    }();
    return run;
  }
  // A run that never moves what is trained on training cases.
  static RunConfig student(const fs::path& weights, const std::string& identity) {
    RunConfig config = toy_config(toy_cache());
    config.hash = "student";
    config.seed = 9;
    config.learning_rate = 0;
    config.init_weights = weights;
    config.init_identity = identity;
    config.resolved["init"] = {{"weights", weights.string()}, {"identity", identity}};
    return config;
  }
  // Trains one step and saves.
  static void train_a_step(const RunConfig& config, const fs::path& run) {
    TrainingHooks hooks = toy_hooks();
    hooks.stop_requested = [] { return true; };
    EXPECT_EQ(train(config, run, hooks).code, ExitCode::kSavedOnRequest);
  }
  static std::string bytes(const fs::path& file, const std::string& name) {
    const TensorFile tensors(file);
    const TensorView* view = tensors.find(name);
    EXPECT_NE(view, nullptr) << file << " " << name;
    if (!view) return "";
    return {reinterpret_cast<const char*>(view->bytes.data()), view->bytes.size()};
  }
  static std::string error_of(const RunConfig& config, const std::vector<std::string>& given = {}) {
    const TemporaryDirectory folder;
    try {
      train(config, folder / "run", toy_hooks([&](ToyMethod& method) { method.given = given; }));
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "no error";
  }
  fs::path file(const std::string& name, const std::vector<TensorView>& tensors) const {
    write_durably(posix_file_system(), folder_ / name, encode_tensors(tensors));
    return folder_ / name;
  }

  const TemporaryDirectory folder_;
  const std::vector<float> ones_ = std::vector<float>(36, 1);
  TensorView tensor(const std::string& name, std::vector<std::int64_t> shape) const {
    std::size_t count = 1;
    for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
    return {name, DType::kF32, std::move(shape),
            std::as_bytes(std::span<const float>(ones_.data(), count))};
  }
};

TEST_F(InitialWeights, AreWhatTheOtherRunIsEvaluatedWithInTheModelAndItsAverage) {
  const fs::path run = folder_ / "run", first = run / "checkpoints" / "step-00000001";
  const std::string identity = initial_weights_identity(teacher());
  train_a_step(student(teacher(), identity), run);
  const fs::path evaluated = evaluated_checkpoint(teacher()) / "ema.safetensors";
  for (const char* name : {"first.weight", "last.weight", "last.bias"}) {
    EXPECT_TRUE(bytes(first / "model.safetensors", name) == bytes(evaluated, name)) << name;
    EXPECT_TRUE(bytes(first / "ema.safetensors", name) == bytes(evaluated, name)) << name;
  }
  const Json event = lines_of(run / "events.jsonl").at(0);
  EXPECT_EQ(event.at("event"), "init");
  EXPECT_EQ(event.at("taken"), 7);
  EXPECT_EQ(event.at("unused"), 0);
  EXPECT_EQ(event.at("identity"), identity);
  // A restart has weights of its own: those that it began with need not be there any more.
  EXPECT_EQ(train(student(folder_ / "gone", identity), run, toy_hooks()).code, ExitCode::kDone);
}

TEST_F(InitialWeights, TensorsOfOtherNameOrShapeStayNewAndAreNamed) {
  const fs::path some = file("some.safetensors", {tensor("last.bias", {3}),
                                                  tensor("first.bias", {5}), tensor("odd", {2})});
  const fs::path run = folder_ / "run";
  train_a_step(student(some, initial_weights_identity(some)), run);
  const std::string ones(bytes(some, "last.bias"));
  EXPECT_TRUE(bytes(run / "checkpoints/step-00000001/model.safetensors", "last.bias") == ones);
  const Json event = lines_of(run / "events.jsonl").at(0);
  EXPECT_EQ(event.at("taken"), 1);
  EXPECT_EQ(event.at("unused"), 2);
  EXPECT_THAT(event.at("fresh").get<std::vector<std::string>>(),
              ::testing::UnorderedElementsAre("first.weight", "first.bias", "last.weight",
                                              "importance", "seen", "running"));
}

TEST_F(InitialWeights, OnlyWhatIsNamedIsTakenAndTheRestKeepsItsOwnSeed) {
  const std::string identity = initial_weights_identity(teacher());
  RunConfig config = student(teacher(), identity);
  config.init_only = {"last.", "importance"};
  const fs::path run = folder_ / "run", other = folder_ / "other";
  train_a_step(config, run);
  RunConfig alone = student("", "");
  train_a_step(alone, other);
  const auto at_start = [](const fs::path& path, const char* name) {
    return bytes(path / "checkpoints" / "step-00000001" / "model.safetensors", name);
  };
  const fs::path evaluated = evaluated_checkpoint(teacher()) / "ema.safetensors";
  for (const char* name : {"last.weight", "last.bias"}) {
    EXPECT_TRUE(at_start(run, name) == bytes(evaluated, name)) << name;
    EXPECT_FALSE(at_start(other, name) == bytes(evaluated, name)) << name;
  }
  for (const char* name : {"first.weight", "first.bias"}) {
    EXPECT_TRUE(at_start(run, name) == at_start(other, name)) << name;
  }
  const Json event = lines_of(run / "events.jsonl").at(0);
  EXPECT_EQ(event.at("taken"), 3);
  EXPECT_EQ(event.at("only"), Json({"last.", "importance"}));
  EXPECT_EQ(event.at("fresh").size(), 4u);
}

TEST_F(InitialWeights, ABeginningThatNothingHasIsRefusedWithThoseThatThereAre) {
  const fs::path odd = file(
      "odd.safetensors", {tensor("last.bias", {3}), tensor("first.bias", {5}), tensor("odd", {2})});
  RunConfig config = student(odd, initial_weights_identity(odd));
  config.init_only = {"last.", "frist."};  // one that fits does not excuse the other
  EXPECT_THAT(error_of(config),
              AllOf(HasSubstr("init.only: no tensor that begins with \"frist.\""),
                    HasSubstr("odd.safetensors"), HasSubstr("Beginnings that fit: last.; there"),
                    HasSubstr("there: first., last., odd; here: first."), HasSubstr("importance")));
  config.init_only = {"first."};  // there is one, of another shape
  EXPECT_THAT(error_of(config), HasSubstr("begins with \"first.\" has the same name and shape"));
}

TEST_F(InitialWeights, WhatARunDoesNotTrainMustBeGivenWhole) {
  const fs::path some = file("some.safetensors", {tensor("last.bias", {5})});
  const fs::path other = file("other.safetensors", {tensor("last.weight", {3, 6, 1, 1, 1})});
  EXPECT_THAT(error_of(student("", ""), {"last."}),
              AllOf(HasSubstr("does not train what begins with last."), HasSubstr("init.weights")));
  const std::string identity = initial_weights_identity(other);
  EXPECT_THAT(error_of(student(other, identity), {"last."}),
              AllOf(HasSubstr("other.safetensors: last.bias."), HasSubstr("needs all of it")));
  const fs::path both =
      file("both.safetensors", {tensor("last.weight", {3, 6, 1, 1, 1}), tensor("last.bias", {5})});
  EXPECT_THAT(error_of(student(both, initial_weights_identity(both)), {"last."}),
              HasSubstr("last.bias ([5] there, [3] here)"));
  RunConfig config = student(teacher(), initial_weights_identity(teacher()));
  config.init_only = {"first."};
  EXPECT_THAT(error_of(config, {"last."}), HasSubstr("last.weight, last.bias"));
  config.init_only = {"last."};
  EXPECT_EQ(error_of(config, {"last."}), "no error");
}

TEST_F(InitialWeights, WhatIsTakenDecidesTheRunAndNeedsASource) {
  const fs::path weights = file("one.safetensors", {tensor("a", {2})});
  const auto resolve = [](const Json& init) {
    return resolve_run({{"method", "unet"}, {"init", init}}, "run.json");
  };
  const std::string path = weights.string();
  const RunConfig all = resolve({{"weights", path}});
  EXPECT_NE(resolve({{"weights", path}, {"only", {"a"}}}).hash, all.hash);
  EXPECT_EQ(resolve({{"weights", path}, {"only", Json::array()}}).hash, all.hash);
  EXPECT_FALSE(deciding_keys(all.resolved).contains("init.only"));
  EXPECT_EQ(resolve({{"identity", "run:0123"}, {"only", {"a"}}}).init_only,
            std::vector<std::string>{"a"});  // as a sweep plans it
  const auto message = [&](const Json& init) -> std::string {
    try {
      resolve(init);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message({{"only", {"a"}}}), HasSubstr("run.json: init.only is [\"a\"], but"));
  EXPECT_THAT(message({{"weights", path}, {"only", {""}}}), HasSubstr("holds an empty name"));
  EXPECT_THAT(message({{"weights", path}, {"only", "a"}}), HasSubstr("init.only"));
}

TEST_F(InitialWeights, WhatCannotBeIsRefusedWithWhatToDo) {
  const fs::path odd = file("odd.safetensors", {tensor("odd", {2})});
  EXPECT_THAT(error_of(student(odd, initial_weights_identity(odd))),
              AllOf(HasSubstr("odd.safetensors"), HasSubstr("There: odd."),
                    HasSubstr("first.weight"), HasSubstr("lacuna weights list")));
  EXPECT_THAT(error_of(student(odd, "file:0123")),
              AllOf(HasSubstr("holds file:"), HasSubstr("starts from file:0123")));
  EXPECT_THAT(error_of(student(teacher(), "run:other")),
              AllOf(HasSubstr("holds run:toy"), HasSubstr("starts from run:other")));
  EXPECT_THAT(error_of(student("", "run:other")), HasSubstr("does not say where"));
  const TemporaryDirectory folder;
  train_a_step(student(teacher(), "run:toy"), folder / "run");
}

TEST_F(InitialWeights, WhatTheyAreDecidesTheRunAndWhereTheyLieDoesNot) {
  const auto resolve = [](const fs::path& weights) {
    return resolve_run({{"method", "unet"}, {"init", {{"weights", weights.string()}}}}, "run.json");
  };
  const fs::path one = file("one.safetensors", {tensor("a", {2})});
  const fs::path same = file("same.safetensors", {tensor("a", {2})});
  const fs::path other = file("other.safetensors", {tensor("a", {3})});
  EXPECT_EQ(resolve(one).hash, resolve(same).hash);
  EXPECT_NE(resolve(one).hash, resolve(other).hash);
  EXPECT_EQ(resolve(teacher()).hash, resolve(evaluated_checkpoint(teacher())).hash);
  const RunConfig without = resolve("");
  EXPECT_NE(resolve(one).hash, without.hash);
  EXPECT_FALSE(deciding_keys(without.resolved).contains("init.identity"));
  // A resolved run is itself: nothing is looked up again.
  fs::remove(one);
  const RunConfig before = resolve(same);
  fs::remove(same);
  EXPECT_EQ(resolve_run(before.resolved, "run.json").hash, before.hash);
  try {
    resolve(same);
    FAIL() << "no error";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("run.json: init.weights: "), HasSubstr("same")));
  }
}

}  // namespace
}  // namespace lacuna::worker
