// What an earlier phase of a step leaves for a later one (the styles that a generator's phase made,
// for the discriminator), one entry per micro-batch.
//
// A phase may run over several micro-batches before the next phase begins, so entries are found by
// the storage of the micro-batch's image, which both phases share. Cleared at the end of each step.
// Not thread-safe.
#pragma once

#include <deque>
#include <optional>
#include <utility>

#include <ATen/core/Tensor.h>

namespace lacuna::methods {

template <typename T>
class KeptTensors {
 public:
  void put(const at::Tensor& image, T value) { entries_.emplace_back(image, std::move(value)); }

  // What was put for this micro-batch; entries before it are dropped. Empty when there is none: the
  // phase was asked for alone.
  std::optional<T> take(const at::Tensor& image) {
    std::optional<T> found;
    while (!entries_.empty() && !found) {
      if (entries_.front().first.const_data_ptr() == image.const_data_ptr()) {
        found = std::move(entries_.front().second);
      }
      entries_.pop_front();
    }
    return found;
  }
  void clear() { entries_.clear(); }

 private:
  std::deque<std::pair<at::Tensor, T>> entries_;
};

}  // namespace lacuna::methods
