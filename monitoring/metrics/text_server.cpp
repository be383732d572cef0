#include "monitoring/metrics/text_server.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "coordinator/http/access.h"

namespace lacuna::monitoring {
namespace {

using coordinator::Reply;

constexpr int kLowestPriority = 19;

class TextSite final : public coordinator::HttpSite {
 public:
  TextSite(std::string path, std::string content_type, TextServer::Text text,
           std::vector<std::string> tokens)
      : path_(std::move(path)),
        content_type_(std::move(content_type)),
        text_(std::move(text)),
        tokens_(std::move(tokens)) {}

  bool is_guarded() const override { return !tokens_.empty(); }

  Reply check(std::string_view method, std::string_view target,
              std::string_view authorization) override {
    const auto shown = [&](const std::string& token) {
      return coordinator::shows_token(authorization, token, /*basic_too=*/true);
    };
    if (is_guarded() && std::none_of(tokens_.begin(), tokens_.end(), shown)) {
      return refusal(401, "show the token: Authorization: Bearer TOKEN");
    }
    if (target.substr(0, target.find('?')) != path_) return refusal(404, "there is only " + path_);
    if (method == "GET") return {};
    Reply reply = refusal(405, "this needs GET");
    reply.allow = "GET";
    return reply;
  }

  Reply answer(std::string_view, const std::string&) override {
    return {200, content_type_, text_(), ""};
  }

  Reply refusal(int status, const std::string& text) const override {
    return {status, "text/plain; charset=utf-8", text + "\n", ""};
  }

 private:
  const std::string path_, content_type_;
  const TextServer::Text text_;
  const std::vector<std::string> tokens_;
};

}  // namespace

coordinator::HttpLimits scrape_limits() {
  coordinator::HttpLimits limits;
  limits.body_bytes = 0;
  limits.request_seconds = 2;
  limits.idle_seconds = 120;
  limits.requests_per_second = 20;
  limits.burst = 20;
  return limits;
}

TextServer::TextServer(const std::string& address, int port, std::string path,
                       std::string content_type, Text text, std::vector<std::string> tokens,
                       const coordinator::HttpLimits& limits)
    : server_(std::make_unique<TextSite>(std::move(path), std::move(content_type), std::move(text),
                                         std::move(tokens)),
              address, port, {"metrics", kLowestPriority}, limits) {}

}  // namespace lacuna::monitoring
