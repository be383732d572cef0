// Figures as JSON, for the heartbeats of ranks: {NAME: [[LABEL..., VALUE, COUNT...], ...], ...}.
// What is not finite is null. Figures that rank 0 tells for the run do not travel.
#pragma once

#include "base/metrics/metrics.h"
#include "base/text/json.h"

namespace lacuna {

Json to_json(const MetricSamples& samples);

// Throws DataError when there are too many, or one has the wrong labels, kind or value. Names that
// this program does not know are passed over.
MetricSamples metric_samples_from_json(const Json& json);

}  // namespace lacuna
