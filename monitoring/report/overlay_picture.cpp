#include "monitoring/report/overlay_picture.h"

#include <algorithm>
#include <cstddef>

#include "base/error.h"
#include "base/files/tensor_file.h"

namespace lacuna::monitoring {
namespace {

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t comma; (comma = text.find(',', begin)) != std::string::npos; begin = comma + 1) {
    parts.push_back(text.substr(begin, comma - begin));
  }
  parts.push_back(text.substr(begin));
  return parts;
}

std::vector<std::vector<std::uint8_t>> planes(const TensorView& view, std::size_t count,
                                              std::size_t size, const Path& path) {
  if (view.type != DType::kU8 || view.bytes.size() != count * size) {
    throw_error<DataError>("{}: tensor {} has another size than its metadata says. Evaluate again.",
                           path.string(), view.name);
  }
  std::vector<std::vector<std::uint8_t>> result;
  for (std::size_t i = 0; i < count; ++i) {
    const auto* begin = reinterpret_cast<const std::uint8_t*>(view.bytes.data()) + i * size;
    result.emplace_back(begin, begin + size);
  }
  return result;
}

}  // namespace

Overlay read_overlay(const Path& path) {
  const TensorFile file(path);
  const auto text = [&](const char* key) {
    const auto found = file.metadata().find(key);
    return found == file.metadata().end() ? std::string() : found->second;
  };
  const TensorView *image = file.find("image"), *truth = file.find("truth"),
                   *predictions = file.find("predictions");
  if (!image || !truth || !predictions || truth->shape.size() != 2) {
    throw_error<DataError>("{}: no overlay. Evaluate again.", path.string());
  }
  Overlay overlay;
  overlay.height = static_cast<int>(truth->shape[0]);
  overlay.width = static_cast<int>(truth->shape[1]);
  overlay.modalities = split(text("modalities"));
  overlay.subsets = split(text("subsets"));
  overlay.dice = split(text("dice"));
  overlay.dice.resize(overlay.subsets.size());
  overlay.case_id = text("case");
  overlay.slice = text("slice");
  overlay.mean_dice = text("mean_dice");
  const std::size_t size =
      static_cast<std::size_t>(overlay.height) * static_cast<std::size_t>(overlay.width);
  overlay.images = planes(*image, overlay.modalities.size(), size, path);
  overlay.predictions = planes(*predictions, overlay.subsets.size(), size, path);
  overlay.truth = planes(*truth, 1, size, path)[0];
  return overlay;
}

Image paint(const Overlay& overlay, const std::vector<std::uint8_t>& grey,
            const std::vector<std::uint8_t>& tissue, bool outline) {
  Image image{overlay.width, overlay.height, 3, {}};
  image.pixels.reserve(grey.size() * 3);
  const auto inside = [&](int y, int x) {
    return y >= 0 && x >= 0 && y < overlay.height && x < overlay.width &&
           overlay.truth[static_cast<std::size_t>(y * overlay.width + x)] != 0;
  };
  for (int y = 0; y < overlay.height; ++y) {
    for (int x = 0; x < overlay.width; ++x) {
      const auto i = static_cast<std::size_t>(y * overlay.width + x);
      const TissueColour& colour =
          kTissueColours[std::min<std::size_t>(tissue[i], kTissueColours.size() - 1)];
      const bool edge =
          outline && !inside(y, x) &&
          (inside(y - 1, x) || inside(y + 1, x) || inside(y, x - 1) || inside(y, x + 1));
      for (const int part : {colour.red, colour.green, colour.blue}) {
        const double mixed =
            tissue[i] == 0 ? grey[i] : (1 - kTissueOpacity) * grey[i] + kTissueOpacity * part;
        image.pixels.push_back(edge ? 255 : static_cast<std::uint8_t>(mixed));
      }
    }
  }
  return image;
}

}  // namespace lacuna::monitoring
