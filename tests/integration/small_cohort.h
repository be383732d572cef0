// A cache of phantoms for whole trainings by the program; made once per test program.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/text/json.h"
#include "tests/run_program.h"

namespace lacuna::tests {

// Eight cases of 40 x 64 x 64 voxels; split "small": four to train, one to validate, one for the
// meta phase (generated splits of so few cases have none).
inline const std::filesystem::path& small_cohort() {
  static const Scratch scratch;
  static const std::filesystem::path path = [] {
    const auto made =
        run_program("phantom --quiet --cases 8 --size 40,64,64 --out " + scratch.text("in"));
    EXPECT_EQ(made.code, 0) << made.err;
    std::vector<std::string> ids;
    for (const auto& entry : std::filesystem::directory_iterator(scratch / "in")) {
      if (entry.is_directory()) ids.push_back(entry.path().filename());
    }
    std::sort(ids.begin(), ids.end());
    const Json split = {{"train", {ids.at(0), ids.at(1), ids.at(2), ids.at(3)}},
                        {"validation", {ids.at(4)}},
                        {"meta", {ids.at(5)}}};
    std::ofstream(scratch / "splits.json") << Json{{"small", split}}.dump();
    const auto ingested =
        run_program("ingest --quiet --in " + scratch.text("in") + " --out " +
                    scratch.text("cache") + " --splits " + scratch.text("splits.json"));
    EXPECT_EQ(ingested.code, 0) << ingested.err;
    return scratch / "cache";
  }();
  return path;
}

// A training on it that takes a second or two: every step is logged and saved.
inline Json small_run(int steps) {
  return {{"method", "unet"},
          {"data",
           {{"cache", small_cohort().string()},
            {"split", "small"},
            {"patch", {32, 32, 32}},
            {"loader_threads", 1}}},
          {"model", {{"width", 0.0625}}},
          {"train", {{"steps", steps}, {"batch", 2}, {"threads", 1}, {"device", "cpu"}}},
          {"validate", {{"every", 0}}},
          {"checkpoint", {{"every_steps", 1}}},
          {"log", {{"every", 1}}}};
}

}  // namespace lacuna::tests
