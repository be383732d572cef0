// A program that stands for `lacuna`: trains and evaluates in no time, writes down each call, and
// does what files in its folder tell it: `fail-train` and `fail-eval` hold an exit code, `hold`
// makes trainings wait until it is gone or they are asked to stop.
#pragma once

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/files/temporary_directory.h"
#include "base/process/signals.h"

namespace lacuna::tests {

inline constexpr const char* kToyProgram = R"sh(#!/bin/sh
here=$(dirname "$0")
echo "$*${TOY_SLOT:+ in $TOY_SLOT}" >>"$here/calls"
case $1 in
train)
  out=$4
  echo "training says hello"
  if [ -f "$here/fail-train" ]; then
    echo "error: no such cache. Ingest it." >&2
    exit $(cat "$here/fail-train")
  fi
  trap 'echo "{\"step\": 2}" >"$out/metrics.jsonl"; exit 75' USR2
  echo started >>"$here/started"
  while [ -f "$here/hold" ]; do sleep 0.01; done
  echo '{"step": 10, "seconds": {"step": 0.5}}' >"$out/metrics.jsonl"
  cp "$2" "$out/run.json" ;;
eval)
  if [ -f "$here/fail-eval" ]; then exit $(cat "$here/fail-eval"); fi
  mkdir -p "$2/eval/fold0-test"
  echo '{"mean": {"dice": {"mean": 0.625}}}' >"$2/eval/fold0-test/summary.json" ;;
esac
)sh";

class ToyProgram {
 public:
  ToyProgram() {
    std::ofstream(path()) << kToyProgram;
    std::filesystem::permissions(path(), std::filesystem::perms::owner_all);
  }
  std::string path() const { return folder_.text("lacuna"); }
  void tell(const std::string& what, const std::string& text = "") const {
    std::ofstream(folder_ / what) << text;
  }
  void untell(const std::string& what) const { std::filesystem::remove(folder_ / what); }
  // Lines that were written to "calls" or "started".
  std::vector<std::string> lines(const std::string& name) const {
    std::ifstream file(folder_ / name);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  std::size_t calls(const std::string& command) const {
    const auto all = lines("calls");
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(),
                      [&](const std::string& line) { return line.starts_with(command + " "); }));
  }

 private:
  TemporaryDirectory folder_;
};

class ToySignals final : public SignalSource {
 public:
  int pending() const override { return number; }
  std::atomic<int> number{0};
};

}  // namespace lacuna::tests
