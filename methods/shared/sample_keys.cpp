#include "methods/shared/sample_keys.h"

#include "base/random.h"

namespace lacuna::methods {

std::vector<std::uint64_t> sample_keys(const Batch& batch, const Progress& progress,
                                       std::uint32_t use) {
  std::vector<std::uint64_t> keys;
  for (std::size_t n = 0; n < static_cast<std::size_t>(batch.image.size(0)); ++n) {
    const std::uint64_t index = n < batch.sample_index.size() ? batch.sample_index[n] : n;
    Stream stream(progress.seed, Purpose::kMethod, index, use);
    const std::uint64_t high = stream.next();
    keys.push_back(high << 32 | stream.next());
  }
  return keys;
}

}  // namespace lacuna::methods
