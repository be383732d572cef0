// What proves where the numbers come from: configuration, data fingerprint, seeds, versions and
// the events of each run, and everything that could not be read.
#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "monitoring/report/html.h"
#include "monitoring/report/report_view.h"

namespace lacuna::monitoring {
namespace {

constexpr std::size_t kMostEvents = 30;

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Nested objects as rows "versions.torch | 2.11.0".
void append_rows(std::string& html, const Json& value, const std::string& prefix) {
  for (const auto& [name, item] : value.items()) {
    const std::string path = prefix.empty() ? name : prefix + "." + name;
    if (item.is_object()) {
      append_rows(html, item, path);
    } else {
      html += fmt::format("<tr><th>{}</th><td>{}</td></tr>", escape_html(path),
                          escape_html(text_of(item)));
    }
  }
}

std::string fact(const char* name, const std::string& value) {
  return fmt::format("<tr><th>{}</th><td>{}</td></tr>", name, escape_html(value));
}

std::string events(const RunRecord& run) {
  if (run.events.empty()) return "";
  const std::size_t first = run.events.size() > kMostEvents ? run.events.size() - kMostEvents : 0;
  std::string html = fmt::format("<h3>Events{}</h3><ul class=\"events\">",
                                 first > 0 ? fmt::format(" (the last {})", kMostEvents) : "");
  for (std::size_t i = first; i < run.events.size(); ++i) {
    std::string line;
    for (const auto& [name, value] : run.events[i].items()) {
      line += fmt::format("{}<b>{}</b> {}", line.empty() ? "" : ", ", escape_html(name),
                          escape_html(text_of(value)));
    }
    html += "<li>" + line + "</li>";
  }
  return html + "</ul>";
}

std::string notes(const RunRecord& run) {
  if (run.notes.empty()) return "";
  std::string html = "<ul class=\"missing\">";
  for (const std::string& note : run.notes) html += "<li>" + escape_html(note) + "</li>";
  return html + "</ul>";
}

}  // namespace

std::string provenance_section(ReportView& view) {
  std::string html =
      "<section id=\"provenance\"><h2>Provenance</h2><p>The resolved configuration, data "
      "fingerprint, seeds and versions of each run, as its directory records them.</p>";
  for (std::size_t i = 0; i < view.runs().size(); ++i) {
    const RunRecord& run = view.runs()[i];
    html += fmt::format("<details><summary>{}{}</summary>", run_name(view, i),
                        run.notes.empty() ? "" : " <span class=\"flag\">incomplete</span>");
    html += notes(run) + "<div class=\"scroll\"><table class=\"facts\"><tbody>" +
            fact("directory", run.directory.string()) +
            fact("last logged step", std::to_string(run.last_step));
    append_rows(html, run.provenance, "");
    for (const EvaluationRecord& evaluation : run.evaluations) {
      append_rows(html,
                  Json::object({{"evaluation " + evaluation.name,
                                 fmt::format("{} cases", evaluation.summary.cases)}}),
                  "");
    }
    html += "</tbody></table></div>" + events(run);
    if (!run.config.empty()) {
      html += "<h3>Configuration</h3><pre>" +
              escape_html(run.config.dump(2, ' ', false, Json::error_handler_t::replace)) +
              "</pre>";
    }
    html += "</details>";
  }
  return html + "</section>";
}

}  // namespace lacuna::monitoring
