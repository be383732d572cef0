// A sweep of small trainings, submitted and asked about as a user does.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/process/child_process.h"
#include "base/text/json.h"
#include "tests/integration/small_cohort.h"

namespace lacuna::tests {

inline ChildOptions lacuna(const std::vector<std::string>& arguments) {
  ChildOptions options;
  options.command = {std::getenv("LACUNA_PROGRAM")};
  options.command.insert(options.command.end(), arguments.begin(), arguments.end());
  return options;
}

inline CommandResult call(const std::vector<std::string>& arguments) {
  return run_command(lacuna(arguments), /*deadline_seconds=*/240);
}

// Two seeds of a U-Net, each a few seconds.
inline Json definition() {
  return {{"name", "small"},
          {"base",
           {{"method", "unet"},
            {"data",
             {{"cache", small_cohort().string()},
              {"split", "small"},
              {"patch", {32, 64, 64}},
              {"augment", "none"},
              {"loader_threads", 1}}},
            {"model", {{"width", 0.0625}}},
            {"method_options", {{"levels", 4}}},
            {"train", {{"steps", 12}, {"threads", 1}, {"device", "cpu"}}},
            {"validate", {{"every", 0}}},
            {"checkpoint", {{"every_steps", 1}, {"every_seconds", 0}}},
            {"log", {{"every", 1}}}}},
          {"grid", {{"train.seed", {1, 2}}}},
          {"evaluate", {{"part", "validation"}, {"hd95", "none"}}}};
}

inline Json status_of(const std::filesystem::path& sweep) {
  const CommandResult result = call({"sweep", "status", sweep.string(), "--json"});
  EXPECT_EQ(result.code, 0) << result.error;
  return Json::parse(result.output);
}

inline std::size_t lines_of(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

// Polls until `holds`; false at the deadline.
template <typename Claim>
bool comes_true(const Claim& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(8);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

inline void expect_same_results(const Json& one, const Json& other) {
  const std::filesystem::path a(one.at("directory").get<std::string>()),
      b(other.at("directory").get<std::string>());
  for (const char* file :
       {"checkpoints/step-00000012/model.safetensors", "eval/small-validation/cases.csv"}) {
    const std::string bytes = read_text(a / file);
    EXPECT_FALSE(bytes.empty()) << a / file;
    EXPECT_TRUE(bytes == read_text(b / file)) << file;
  }
}

}  // namespace lacuna::tests
