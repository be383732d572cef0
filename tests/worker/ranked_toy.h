// Runs of the toy method on several real ranks, told by a JSON object what to do.
#pragma once

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>

#include <unistd.h>

#include "comm/mpi.h"
#include "tests/comm/run_ranks.h"
#include "tests/worker/toy_run.h"
#include "worker/state/checkpoint_store.h"

namespace lacuna::worker {

// The toy's configuration with what `spec` changes.
inline RunConfig ranked_config(const Json& spec) {
  RunConfig config = toy_config(spec.at("cache").get<std::string>());
  config.steps = spec.value("steps", config.steps);
  config.batch = spec.value("batch", config.batch);
  config.micro_batch = spec.value("micro_batch", config.micro_batch);
  config.validate_cases = spec.value("validate_cases", config.validate_cases);
  config.validate_every = spec.value("validate_every", config.validate_every);
  config.checkpoint_steps = spec.value("checkpoint_steps", config.checkpoint_steps);
  config.log_every = spec.value("log_every", config.log_every);
  config.bf16_gradients = spec.value("bf16_gradients", false);
  config.meta_dedicated = spec.value("dedicated", false);
  config.meta_async = spec.value("async", false);
  config.meta_lag = spec.value("lag", config.meta_lag);
  if (spec.contains("validate_lag")) config.validate_lag = spec["validate_lag"];
  config.shard = spec.value("shard", config.shard);
  config.shard_by = spec.value("shard_by", config.shard_by);
  config.stage = spec.value("stage", config.stage);
  return config;
}

// spec: run (directory), cache; dropout; joint (a loss over the batch); stop {rank, question}: that
// rank wants to stop from its n-th question on; kill {rank, call}: it kills itself in its n-th
// loss; hang {rank, call}: it stays there; poison {rank, step}: its training loss of that step is
// not finite; slow {rank, ms}: each of its windows of a validation takes so long.
inline TrainingHooks ranked_hooks(const Json& spec, int rank) {
  TrainingHooks hooks = toy_hooks([spec, rank](ToyMethod& method) {
    method.dropout = spec.value("dropout", 0.0);
    method.meta_first = spec.value("meta_first", false);
    method.joint = spec.value("joint", false);
    if (const Json kill = spec.value("kill", Json()); !kill.is_null() && kill["rank"] == rank) {
      method.on_loss = [left = kill["call"].get<int>()](auto&&...) mutable {
        if (--left == 0) ::kill(::getpid(), SIGKILL);
      };
    }
    if (const Json hang = spec.value("hang", Json()); !hang.is_null() && hang["rank"] == rank) {
      method.on_loss = [left = hang["call"].get<int>()](auto&&...) mutable {
        if (--left == 0) ::pause();
      };
    }
    if (const Json slow = spec.value("slow", Json()); !slow.is_null() && slow["rank"] == rank) {
      method.on_forward = [pause = std::chrono::milliseconds(slow["ms"].get<int>())] {
        std::this_thread::sleep_for(pause);
      };
    }
    if (const Json bad = spec.value("poison", Json()); !bad.is_null() && bad["rank"] == rank) {
      method.poison = [step = bad["step"].get<int>()](const std::string& phase, const auto& at) {
        return phase == "train" && at.step == step;
      };
    }
  });
  if (const Json stop = spec.value("stop", Json()); !stop.is_null() && stop["rank"] == rank) {
    hooks.stop_requested = [left = stop["question"].get<int>()]() mutable { return --left <= 0; };
  }
  hooks.peer_deadline = comm::Seconds{spec.value("deadline", 60.0)};
  return hooks;
}

// Leaves what a rank holds at the end beside its run, for train_on() to compare.
inline std::filesystem::path final_weights(const Json& spec, int rank) {
  return spec.at("run").get<std::string>() + "/rank-" + std::to_string(rank) + ".weights";
}

inline void write_final_weights(const Json& spec, int rank, torch::nn::Module& module) {
  std::ofstream file(final_weights(spec, rank), std::ios::binary);
  const auto write = [&](const std::string& name, const at::Tensor& tensor) {
    const at::Tensor whole = tensor.detach().contiguous();
    file << name;
    file.write(static_cast<const char*>(whole.const_data_ptr()),
               static_cast<std::streamsize>(whole.nbytes()));
  };
  for (const auto& item : module.named_parameters()) write(item.key(), item.value());
  for (const auto& item : module.named_buffers()) write(item.key(), item.value());
}

// Every rank that trained holds the same bits at the end, not only the one that wrote them down.
inline void expect_same_on_all_ranks(const Json& spec, int ranks) {
  const int trainers = spec.value("dedicated", false) ? ranks - 1 : ranks;
  const std::string first = bytes_of(final_weights(spec, 0));
  EXPECT_FALSE(first.empty());
  for (int rank = 1; rank < trainers; ++rank) {
    EXPECT_TRUE(bytes_of(final_weights(spec, rank)) == first) << "rank " << rank;
  }
}

// mpirun's exit code of a run on `ranks` ranks; 1 rank: this process alone.
inline int train_on(int ranks, Json spec) {
  if (!spec.contains("cache")) spec["cache"] = toy_cache().string();
  if (ranks == 1) {
    return static_cast<int>(
        train(ranked_config(spec), spec["run"].get<std::string>(), ranked_hooks(spec, 0)).code);
  }
  ::setenv("LACUNA_TEST_SPEC", spec.dump().c_str(), 1);
  const int code = run_ranks(ranks, "TrainToy");
  if (code == 0 || code == 75) expect_same_on_all_ranks(spec, ranks);
  return code;
}

// Runs of the toy on ranks, in a directory of their own, and what they left.
class RankedRuns : public ::testing::Test {
 protected:
  Json spec(const std::string& run, Json more = Json::object()) const {
    more["run"] = (folder_ / run).string();
    return more;
  }
  // A file of the last checkpoint.
  std::filesystem::path last(const std::string& run, const char* file) const {
    const CheckpointStore store(posix_file_system(), folder_ / run / "checkpoints", 1);
    return store.path(store.steps().at(0)) / file;
  }
  std::vector<Json> metrics(const std::string& run) const {
    return timeless_metrics(folder_ / run);
  }
  void expect_same_weights(const std::string& one, const std::string& other) const {
    ASSERT_FALSE(bytes_of(last(one, "model.safetensors")).empty());
    for (const char* file : {"model.safetensors", "optimizer.safetensors", "ema.safetensors"}) {
      EXPECT_TRUE(bytes_of(last(one, file)) == bytes_of(last(other, file)))
          << file << " of " << one << " and " << other;
    }
  }
  void expect_same_result(const std::string& one, const std::string& other) const {
    expect_same_weights(one, other);
    EXPECT_EQ(metrics(one), metrics(other));
  }

  TemporaryDirectory folder_;
};

// The largest difference between two runs' losses, relative to the larger one.
inline double largest_difference(const std::vector<Json>& one, const std::vector<Json>& other) {
  double largest = one.size() == other.size() ? 0 : 1e9;
  for (std::size_t i = 0; i < std::min(one.size(), other.size()); ++i) {
    for (const auto& [name, value] : one[i].at("losses").items()) {
      const double a = value, b = other[i].at("losses").at(name);
      largest = std::max(largest, std::abs(a - b) / std::max(std::abs(a), std::abs(b)));
    }
  }
  return largest;
}

}  // namespace lacuna::worker
