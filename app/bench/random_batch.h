// A training batch of noise: what benches of the training step compute on.
#pragma once

#include "app/bench/bench.h"
#include "data/types/modality.h"
#include "methods/method.h"
#include "worker/setup/device_setup.h"

namespace lacuna::app {

// options.batch samples of options.patch, every modality there.
methods::Batch random_batch(const data::ModalitySet& modalities, const BenchOptions& options,
                            const worker::Placement& placement);

}  // namespace lacuna::app
