// Small images as PNG, and bytes as data URIs: what a page without external files needs.
//
// Pure functions, thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lacuna::monitoring {

// 8-bit pixels, row-major, top row first: 1 channel (grey) or 3 (RGB).
struct Image {
  int width = 0, height = 0, channels = 1;
  std::vector<std::uint8_t> pixels;  // height x width x channels
};

// Throws Error when the pixels do not fit the size.
std::vector<std::uint8_t> encode_png(const Image& image);

// "data:image/png;base64,..."
std::string png_data_uri(const Image& image);

}  // namespace lacuna::monitoring
