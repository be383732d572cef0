// Best and worst case of a run as pictures: the modalities, the truth, and what the method makes of
// a few subsets, from the overlays that an evaluation leaves (evaluation/prediction/overlay.h).
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "monitoring/report/html.h"
#include "monitoring/report/overlay_picture.h"
#include "monitoring/report/png.h"
#include "monitoring/report/report_view.h"

namespace lacuna::monitoring {
namespace {

constexpr std::size_t kMostDrawnRuns = 4;  // about half a megabyte of pictures each

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
    const TissueColour& colour = kTissueColours[tissue];
    html += fmt::format("<span class=\"key\"><i style=\"background:rgb({},{},{})\"></i>{}</span>",
                        colour.red, colour.green, colour.blue, colour.name);
  }
  return html + "</p>" + pictures + "</section>";
}

}  // namespace lacuna::monitoring
