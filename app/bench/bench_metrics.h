// lacuna bench metrics: what counting and scraping cost a training step.
#pragma once

#include "app/bench/bench.h"

namespace lacuna::app {

// As the functions of app/bench/bench.h.
Json run_metrics(const BenchOptions& options);

}  // namespace lacuna::app
