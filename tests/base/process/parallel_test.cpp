#include "base/process/parallel.h"

#include <numeric>
#include <stdexcept>

#include <gtest/gtest.h>

namespace lacuna {
namespace {

TEST(ParallelFor, VisitsEachIndexOnceWithAnyNumberOfThreads) {
  for (const int threads : {0, 1, 2, 7}) {
    std::vector<std::atomic<int>> visits(100);
    parallel_for(threads, 100, [&](std::int64_t i) { ++visits[static_cast<std::size_t>(i)]; });
    for (const auto& count : visits) EXPECT_EQ(count, 1);
  }
  parallel_for(3, 0, [](std::int64_t) { FAIL(); });
}

TEST(ParallelFor, ThrowsWhatAThreadThrew) {
  std::atomic<int> done{0};
  EXPECT_THROW(parallel_for(3, 1000,
                            [&](std::int64_t i) {
                              if (i == 5) throw std::runtime_error("five");
                              ++done;
                            }),
               std::runtime_error);
  EXPECT_LT(done, 1000);
}

}  // namespace
}  // namespace lacuna
