// In place of libFuzzer, for compilers without it: mutates the files of a directory without looking
// at coverage. It takes those of libFuzzer's options that tools/fuzz gives, and writes the input of
// the moment to crash-<pid> before it runs it, so that a crash or a hang leaves it behind.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include <unistd.h>

#include "tests/fuzz/mutate.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

int main(int argc, char** argv) {
  using Clock = std::chrono::steady_clock;
  int seconds = 60;
  unsigned timeout = 10;
  std::string directory, artifacts;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const auto value = [&] { return option.substr(option.find('=') + 1); };
    if (option.starts_with("-max_total_time=")) seconds = std::stoi(value());
    if (option.starts_with("-timeout=")) timeout = static_cast<unsigned>(std::stoi(value()));
    if (option.starts_with("-artifact_prefix=")) artifacts = value();
    if (!option.starts_with("-")) directory = option;
  }
  const auto corpus = lacuna::fuzz::read_corpus(directory);
  const std::string kept = artifacts + "crash-" + std::to_string(::getpid());
  const auto run = [&](const lacuna::fuzz::Input& input) {
    std::ofstream(kept, std::ios::binary)
        .write(reinterpret_cast<const char*>(input.data()),
               static_cast<std::streamsize>(input.size()));
    ::alarm(timeout);  // ends the process
    LLVMFuzzerTestOneInput(reinterpret_cast<const unsigned char*>(input.data()), input.size());
    ::alarm(0);
  };
  for (const auto& input : corpus) run(input);
  std::mt19937_64 random(1);
  const auto end = Clock::now() + std::chrono::seconds(seconds);
  long runs = 0;
  for (; Clock::now() < end; ++runs) run(lacuna::fuzz::mutate(corpus, random));
  std::remove(kept.c_str());
  std::printf("Done %ld runs in %d second(s)\n", runs, seconds);
}
