// What M3AE does to samples after the substitute image has been put in: a gain of U(0.9, 1.1) and
// an offset of U(-0.1, 0.1) for each index of the first axis and each modality, and each axis
// turned round half the time (card, section 5).
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace lacuna::methods::m3ae {

// images: each N x M x D x H x W, all changed alike; label: N x D x H x W; one key per sample.
void change(std::vector<at::Tensor>& images, at::Tensor& label,
            const std::vector<std::uint64_t>& keys);

}  // namespace lacuna::methods::m3ae
