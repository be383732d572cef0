// Texts that the build puts into the program (cmake/assets.cmake), so that the status page and the
// report need no other file and no network. Constant.
#pragma once

#include <string_view>

namespace lacuna::coordinator::assets {

extern const std::string_view kPage;       // assets/page.html
extern const std::string_view kPageStyle;  // assets/page.css
// One script, in this order: assets/page_text.js, page_curves.js, page.js
extern const std::string_view kPageText, kPageCurves, kPageScript;
// Shared with the report:
extern const std::string_view kTheme;         // assets/theme.css: the colours of light and dark
extern const std::string_view kLineChart;     // assets/line_chart.js
extern const std::string_view kChartLibrary;  // Chart.js, of Debian's libjs-chart.js, with its
                                              // licence in the first line

}  // namespace lacuna::coordinator::assets
