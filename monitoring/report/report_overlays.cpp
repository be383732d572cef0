// Best and worst case of a run as pictures: the modalities, the truth, and what the method makes of
// a few subsets, from the overlays that an evaluation leaves (evaluation/prediction/overlay.h).
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/files/tensor_file.h"
#include "monitoring/report/html.h"
#include "monitoring/report/png.h"
#include "monitoring/report/report_view.h"

namespace lacuna::monitoring {
namespace {

constexpr std::size_t kMostDrawnRuns = 4;  // about half a megabyte of pictures each

struct Colour {
  int red, green, blue;
};
// By Tissue value: necrosis, oedema, enhancing tumour, resection. Apart for colour-blind eyes too.
constexpr Colour kTissue[] = {
    {0, 0, 0}, {86, 140, 255}, {120, 200, 130}, {255, 170, 60}, {220, 120, 200}};
constexpr const char* kTissueNames[] = {"", "necrosis", "oedema", "enhancing", "resection"};
constexpr double kOpacity = 0.6;

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t comma; (comma = text.find(',', begin)) != std::string::npos; begin = comma + 1) {
    parts.push_back(text.substr(begin, comma - begin));
  }
  parts.push_back(text.substr(begin));
  return parts;
}

struct Overlay {
  int height = 0, width = 0;
  std::vector<std::string> modalities, subsets, dice;
  std::string case_id, slice, mean_dice;
  std::vector<std::vector<std::uint8_t>> images, predictions;
  std::vector<std::uint8_t> truth;
};

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

// Tissue colours over a grey slice; the outline of the true tumour in white where given.
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
      const Colour& colour = kTissue[std::min<std::size_t>(tissue[i], std::size(kTissue) - 1)];
      const bool edge =
          outline && !inside(y, x) &&
          (inside(y - 1, x) || inside(y + 1, x) || inside(y, x - 1) || inside(y, x + 1));
      for (const int part : {colour.red, colour.green, colour.blue}) {
        const double mixed = tissue[i] == 0 ? grey[i] : (1 - kOpacity) * grey[i] + kOpacity * part;
        image.pixels.push_back(edge ? 255 : static_cast<std::uint8_t>(mixed));
      }
    }
  }
  return image;
}

std::string picture(const Image& image, const std::string& caption) {
  return fmt::format("<figure><img src=\"{}\" alt=\"{}\"><figcaption>{}</figcaption></figure>",
                     png_data_uri(image), escape_html(caption), escape_html(caption));
}

std::string strip(const Overlay& overlay, const char* title) {
  const auto number = [](const std::string& text) {
    return text.empty() ? NAN : std::strtod(text.c_str(), nullptr);
  };
  std::string html = fmt::format(
      "<h4>{}: {} <small>mean Dice {} %, slice {}</small></h4><div class=\"strip\">", title,
      escape_html(overlay.case_id), percent(number(overlay.mean_dice)), escape_html(overlay.slice));
  for (std::size_t m = 0; m < overlay.modalities.size(); ++m) {
    html += picture({overlay.width, overlay.height, 1, overlay.images[m]}, overlay.modalities[m]);
  }
  html += picture(paint(overlay, overlay.images[0], overlay.truth, false), "truth");
  for (std::size_t s = 0; s < overlay.subsets.size(); ++s) {
    const bool all = std::count(overlay.subsets[s].begin(), overlay.subsets[s].end(), '+') + 1 ==
                     static_cast<std::ptrdiff_t>(overlay.modalities.size());
    html += picture(paint(overlay, overlay.images[0], overlay.predictions[s], true),
                    fmt::format("from {}: {} %", all ? "all" : overlay.subsets[s],
                                percent(number(overlay.dice[s]))));
  }
  return html + "</div>";
}

std::string run_overlays(const ReportView& view, std::size_t run) {
  std::string html;
  const Path directory = view.evaluation(run).directory / "overlays";
  for (const auto& [name, title] :
       {std::pair("best", "Best case"), std::pair("worst", "Worst case")}) {
    const Path path = directory / (std::string(name) + ".safetensors");
    if (!exists(path)) continue;
    try {
      html += strip(read_overlay(path), title);
    } catch (const Error& error) {
      html += fmt::format("<p class=\"missing\">{}</p>", escape_html(error.what()));
    }
  }
  return html.empty() ? html : "<h3>" + run_name(view, run) + "</h3>" + html;
}

}  // namespace

std::string overlay_section(ReportView& view) {
  if (view.ranking().empty()) return "";
  std::string html = "<section id=\"overlays\"><h2>Best and worst cases</h2>";
  std::string pictures;
  for (std::size_t i = 0; i < std::min(kMostDrawnRuns, view.ranking().size()); ++i) {
    pictures += run_overlays(view, view.ranking()[i]);
  }
  if (pictures.empty()) {
    return html +
           "<p class=\"missing\">Left out: the evaluation kept no overlays. <code>lacuna "
           "eval RUNDIR</code> writes them.</p></section>";
  }
  html +=
      "<p>The axial slice with the most tumour, best and worst case by mean Dice over all "
      "subsets. Predictions lie over the first modality; the white line is the true tumour.";
  html += view.ranking().size() > kMostDrawnRuns
              ? fmt::format(" The {} best runs.</p><p>", kMostDrawnRuns)
              : std::string("</p><p>");
  for (std::size_t tissue = 1; tissue < 4; ++tissue) {
    html += fmt::format("<span class=\"key\"><i style=\"background:rgb({},{},{})\"></i>{}</span>",
                        kTissue[tissue].red, kTissue[tissue].green, kTissue[tissue].blue,
                        kTissueNames[tissue]);
  }
  return html + "</p>" + pictures + "</section>";
}

}  // namespace lacuna::monitoring
