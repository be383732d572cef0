// lacuna bench sweep (bench_sweep.cpp): see bench.h.
#pragma once

#include "app/bench/bench.h"

namespace lacuna::app {

Json run_sweep(const BenchOptions& options);

}  // namespace lacuna::app
