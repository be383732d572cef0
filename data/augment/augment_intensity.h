// Changes of intensity, one channel at a time, in place. Pure functions of their arguments.
#pragma once

#include <cstddef>

#include "data/augment/normal_field.h"

namespace lacuna::data {

// v + deviation * N(0, 1): add_normal_field() of the channel's key (normal_field.h).

// v * gain + offset
void scale_and_shift(float* values, std::size_t count, float gain, float offset);

// (v - mean) * factor + mean, clipped to the minimum and maximum before.
void change_contrast(float* values, std::size_t count, float factor);

// ((v - min) / range)^gamma * range + min, then shifted and scaled to the mean and standard
// deviation before. (The published pipeline, batchgenerators 0.21, restores the mean before the
// deviation and so ends at another mean; that slip is not copied.)
void change_gamma(float* values, std::size_t count, float gamma);

}  // namespace lacuna::data
