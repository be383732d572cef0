#include "coordinator/http/server.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/text/parse_json.h"
#include "coordinator/assets.h"
#include "coordinator/http/access.h"
#include "coordinator/status/heartbeat.h"

namespace lacuna::coordinator {
namespace {

struct Route {
  std::string_view target, method;
  Reply (*answer)(ServerApi& api, const std::string& body);
};

Reply json_reply(int status, const Json& json) {
  return {status, "application/json", dump_line(json) + "\n", ""};
}

Reply error_reply(int status, const std::string& text) {
  return json_reply(status, {{"error", text}});
}

Reply asset(const char* type, std::string_view text) {
  return {200, std::string(type) + "; charset=utf-8", std::string(text), ""};
}

Reply page(ServerApi&, const std::string&) { return asset("text/html", assets::kPage); }

Reply page_style(ServerApi&, const std::string&) {
  Reply reply = asset("text/css", assets::kTheme);
  reply.body += assets::kPageStyle;
  return reply;
}

Reply page_script(ServerApi&, const std::string&) {
  Reply reply = asset("text/javascript", assets::kPageText);
  reply.body += assets::kPageCurves;
  reply.body += assets::kPageScript;
  return reply;
}

Reply line_chart(ServerApi&, const std::string&) {
  return asset("text/javascript", assets::kLineChart);
}

Reply chart_library(ServerApi&, const std::string&) {
  return asset("text/javascript", assets::kChartLibrary);
}

Reply status(ServerApi& api, const std::string&) { return json_reply(200, api.status()); }

Reply history(ServerApi& api, const std::string&) { return json_reply(200, api.history()); }

Reply checkpoint(ServerApi& api, const std::string&) {
  api.request_checkpoint();
  return json_reply(202, {{"requested", "checkpoint"}});
}

Reply stop(ServerApi& api, const std::string&) {
  api.request_stop();
  return json_reply(202, {{"requested", "stop"}});
}

Reply heartbeat(ServerApi& api, const std::string& body) {
  const Json parsed = parse_json_line(body);
  if (!parsed.is_object()) return error_reply(400, "the body is no JSON object");
  try {
    return json_reply(200, api.heartbeat(parsed));
  } catch (const Error& error) {
    return error_reply(400, error.what());
  }
}

constexpr std::array kRoutes = {
    Route{"/", "GET", page},
    Route{"/page.css", "GET", page_style},
    Route{"/page.js", "GET", page_script},
    Route{"/line_chart.js", "GET", line_chart},
    Route{"/chart.js", "GET", chart_library},
    Route{"/api/status", "GET", status},
    Route{"/api/history", "GET", history},
    Route{"/api/checkpoint", "POST", checkpoint},
    Route{"/api/stop", "POST", stop},
    Route{"/api/heartbeat", "POST", heartbeat},
};

const Route* find_route(std::string_view target) {
  target = target.substr(0, target.find('?'));
  const auto* found = std::find_if(kRoutes.begin(), kRoutes.end(),
                                   [&](const Route& route) { return route.target == target; });
  return found == kRoutes.end() ? nullptr : found;
}

class RunSite final : public HttpSite {
 public:
  RunSite(ServerApi& api, std::string token) : api_(api), token_(std::move(token)) {}

  bool is_guarded() const override { return true; }

  Reply check(std::string_view method, std::string_view target,
              std::string_view authorization) override {
    if (!shows_token(authorization, token_, /*basic_too=*/method == "GET")) {
      return error_reply(401,
                         "the token is missing or wrong: Authorization: Bearer TOKEN, with the "
                         "content of coordinator.token in the run directory");
    }
    const Route* route = find_route(target);
    if (!route) return error_reply(404, "there is nothing here; see /api/status");
    if (route->method == method) return {};
    Reply reply = error_reply(405, "this needs " + std::string(route->method));
    reply.allow = route->method;
    return reply;
  }

  Reply answer(std::string_view target, const std::string& body) override {
    const Route* route = find_route(target);
    return route ? route->answer(api_, body) : error_reply(404, "there is nothing here");
  }

  Reply refusal(int status, const std::string& text) const override {
    return error_reply(status, text);
  }

 private:
  ServerApi& api_;
  const std::string token_;
};

}  // namespace

Server::Server(ServerApi& api, const std::string& address, int port, std::string token,
               const HttpLimits& limits)
    : server_(std::make_unique<RunSite>(api, std::move(token)), address, port, {"status server"},
              limits) {}

}  // namespace lacuna::coordinator
