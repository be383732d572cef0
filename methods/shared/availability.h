// What the cases of a batch really have (Batch::available), for losses that compare with it: a
// teacher that sees all modalities, the reconstruction of an image. Where a case lacks a modality
// its image is zeros, and a term that takes it for one is left out. Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "methods/method.h"

namespace lacuna::methods {

// Per sample; every modality where the batch does not say.
std::vector<SubsetMask> available_of(const Batch& batch);

// The samples whose case has every modality, in order.
std::vector<std::int64_t> complete_samples(const Batch& batch);

// Those samples of a batch, as a batch: the batch itself (no copy) when it is all of them.
// Precondition: there is at least one.
Batch samples_of(const Batch& batch, const std::vector<std::int64_t>& samples);

}  // namespace lacuna::methods
