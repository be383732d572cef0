#include "coordinator/status_page.h"

#include <iterator>

#include <fmt/format.h>

#include "coordinator/status_text.h"

namespace lacuna::coordinator {
namespace {

constexpr const char* kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:60em;padding:0 1em;"
    "color:#1b1f24;background:#fff}h1{font-size:1.4em}h2{font-size:1.1em;margin-top:1.6em}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25em .8em .25em 0;"
    "border-bottom:1px solid #d8dee4;vertical-align:top}td.n{font-variant-numeric:tabular-nums}"
    ".lost{background:#ffebe9;padding:.6em;border:1px solid #cf222e}"
    "@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}"
    "th,td{border-color:#30363d}.lost{background:#3d1416}}";

std::string escape(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

class Page {
 public:
  void raw(const std::string& html) { html_ += html; }
  void row(std::initializer_list<std::string> cells, const char* tag = "td") {
    html_ += "<tr>";
    for (const std::string& cell : cells) html_ += fmt::format("<{0}>{1}</{0}>", tag, escape(cell));
    html_ += "</tr>\n";
  }
  // A table of the numbers in an object, or nothing.
  void numbers(const char* title, const Json& object) {
    if (!object.is_object() || object.empty()) return;
    html_ += fmt::format("<h2>{}</h2>\n<table>\n", title);
    for (const auto& [name, value] : object.items()) row({name, number_or_dash(value)});
    html_ += "</table>\n";
  }
  std::string take() { return std::move(html_); }

 private:
  std::string html_;
};

}  // namespace

std::string status_page(const Json& status) {
  const auto at = [&](const char* key) { return status.value(key, Json()); };
  const std::string title = escape(text_or_dash(status, "run"));
  Page page;
  page.raw(
      fmt::format("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                  "<meta http-equiv=\"refresh\" content=\"5\"><meta name=\"viewport\" "
                  "content=\"width=device-width\"><title>{0}</title><style>{1}</style></head>"
                  "<body>\n<h1>{0}</h1>\n",
                  title, kStyle));
  if (const Json lost = at("lost"); lost.is_object()) {
    page.raw("<p class=\"lost\">" + escape(text_or_dash(lost, "reason")) + "</p>\n");
  }
  page.raw("<table>\n");
  page.row({"method", text_or_dash(status, "method")});
  page.row({"state", text_or_dash(status, "state") + ", stage " + text_or_dash(status, "stage")});
  page.row({"position", position_text(status)});
  page.row({"speed", speed_text(status)});
  page.row({"loss", number_or_dash(at("loss"))});
  page.row({"last validation", validation_text(status)});
  page.row({"last checkpoint", checkpoint_text(status)});
  page.row({"restarts", number_or_dash(at("restarts"))});
  page.raw("</table>\n<h2>Ranks</h2>\n<table>\n");
  page.row({"rank", "host", "pid", "step", "activity", "for", "state"}, "th");
  for (const Json& rank : at("ranks")) {
    page.row({text_or_dash(rank, "rank"), text_or_dash(rank, "host"), text_or_dash(rank, "pid"),
              text_or_dash(rank, "step"), text_or_dash(rank, "activity"),
              duration_or_dash(rank.value("seconds_in_activity", Json())), rank_health(rank)});
  }
  page.raw("</table>\n");
  page.numbers("Losses", at("losses"));
  page.numbers("Learning rates", at("learning_rates"));
  page.numbers("Diagnostics", at("diagnostics"));
  page.raw("<h2>Events</h2>\n<table>\n");
  const Json events = at("events");
  for (auto event = events.rbegin(); event != events.rend(); ++event)
    page.row({event_text(*event)});
  page.raw("</table>\n<p>As JSON: <code>GET /api/status</code></p>\n</body></html>\n");
  return page.take();
}

}  // namespace lacuna::coordinator
