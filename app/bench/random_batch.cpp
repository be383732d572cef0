#include "app/bench/random_batch.h"

#include <torch/types.h>

namespace lacuna::app {

methods::Batch random_batch(const data::ModalitySet& modalities, const BenchOptions& options,
                            const worker::Placement& placement) {
  const auto [d, h, w] = options.patch;
  methods::Batch batch;
  batch.image = at::randn({options.batch, modalities.size(), d, h, w})
                    .contiguous(placement.layout)
                    .to(placement.device);
  batch.label = at::randint(0, 4, {options.batch, d, h, w}, at::kByte).to(placement.device);
  batch.subsets = {std::vector<methods::SubsetMask>(options.batch, modalities.full())};
  batch.sample_index.resize(options.batch);
  batch.origin.resize(options.batch);
  return batch;
}

}  // namespace lacuna::app
