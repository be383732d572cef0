// A loop shared out to threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

namespace lacuna {

// Calls work(i) for every i in [0, count), each exactly once, on up to `threads` threads, this one
// among them; returns when all are done. Indices are taken in ascending order. The first exception
// stops the handing out of further indices and is thrown again here.
template <typename Work>
void parallel_for(int threads, std::int64_t count, const Work& work) {
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr error;
  const auto run = [&] {
    try {
      for (std::int64_t i; !failed && (i = next++) < count;) work(i);
    } catch (...) {
      if (!failed.exchange(true)) error = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> helpers;
    const std::int64_t wanted = std::min<std::int64_t>(threads, count);
    for (std::int64_t t = 1; t < wanted; ++t) helpers.emplace_back(run);
    run();
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace lacuna
