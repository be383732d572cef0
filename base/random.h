// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011).
//
// Contract: a stream is a pure function of (seed, purpose, index). Nothing is saved in checkpoints
// and results depend on no rank, thread or history. Thread-safety: one Stream per thread of use;
// making one costs nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace lacuna {

// What a stream is for: streams of different purposes never share numbers. Runs in progress depend
// on the values: do not renumber.
enum class Purpose : std::uint32_t {
  kCaseOrder = 1,
  kSubsetDraw = 2,
  kCrop = 3,
  kAugment = 4,
  kMethod = 5,
  kMetaOrder = 6,
  kPhantom = 7,
  kSplit = 8,
  kInitialise = 9,
  kTest = 10,
};

// One block of Philox4x32-10.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                    std::array<std::uint32_t, 2> key);

class Stream {
 public:
  // index: for example the global sample index; sub: a second index (channel, repeat).
  Stream(std::uint64_t seed, Purpose purpose, std::uint64_t index, std::uint32_t sub = 0);

  std::uint32_t next();
  double uniform();                          // [0, 1), 32 bits
  double uniform(double low, double high);   // [low, high)
  std::uint64_t below(std::uint64_t bound);  // {0..bound-1}, unbiased; bound > 0
  double normal();                           // N(0, 1), Box-Muller
  bool chance(double probability);

  template <typename T>
  void shuffle(std::span<T> items) {  // Fisher-Yates
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;
};

}  // namespace lacuna
