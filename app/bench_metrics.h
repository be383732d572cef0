// lacuna bench metrics: what counting and scraping cost a training step.
#pragma once

#include "app/bench.h"

namespace lacuna::app {

// As the functions of app/bench.h.
Json run_metrics(const BenchOptions& options);

}  // namespace lacuna::app
