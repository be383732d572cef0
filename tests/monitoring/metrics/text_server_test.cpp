#include "monitoring/metrics/text_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/http_socket.h"

namespace lacuna::monitoring {
namespace {

using ::testing::HasSubstr;

constexpr const char* kOnce = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
constexpr const char* kAgain = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

TextServer serve(const coordinator::HttpLimits& limits) {
  return {"127.0.0.1", 0,     "/metrics", "text/plain", [] { return std::string("figures\n"); },
          {},          limits};
}

TEST(TextServer, WithTokensNothingIsToldToWhoShowsNone) {
  const TextServer server("127.0.0.1", 0, "/metrics", "text/plain",
                          [] { return std::string("figures\n"); }, {"first-token", "second-token"});
  const auto ask = [&](const std::string& header, const std::string& path = "/metrics") {
    HttpSocket client(server.port());
    client.send("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + header + "\r\n");
    return client.receive();
  };
  for (const char* header :
       {"", "Authorization: Bearer\r\n", "Authorization: Bearer \r\n",
        "Authorization: Bearer first-toke\r\n", "Authorization: Bearer second-token2\r\n"}) {
    for (const char* path : {"/metrics", "/elsewhere"}) {
      const std::string answer = ask(header, path);
      EXPECT_THAT(answer, HasSubstr("401")) << header;
      EXPECT_THAT(answer, HasSubstr("WWW-Authenticate: Bearer")) << header;
      EXPECT_THAT(answer, ::testing::Not(HasSubstr("figures"))) << header;
    }
  }
  EXPECT_THAT(ask("Authorization: Bearer first-token\r\n"), HasSubstr("figures"));
  EXPECT_THAT(ask("Authorization: bearer second-token\r\n"), HasSubstr("figures"));
}

TEST(TextServer, ConnectionsBeyondTheRateWait) {
  coordinator::HttpLimits limits = scrape_limits();
  limits.requests_per_second = 1e-3;
  limits.burst = 2;
  const TextServer server = serve(limits);
  for (int i = 0; i < 3; ++i) {  // the burst, and the one that is due
    HttpSocket client(server.port());
    client.send(kOnce);
    EXPECT_THAT(client.receive(), HasSubstr("figures"));
  }
  HttpSocket client(server.port());
  client.send(kOnce);
  EXPECT_EQ(client.receive(/*patience_ms=*/100), "<still open>");
}

TEST(TextServer, RequestsThatHaveToWaitAreAllAnswered) {
  coordinator::HttpLimits limits = scrape_limits();
  limits.requests_per_second = 1000;
  limits.burst = 1;
  const TextServer server = serve(limits);
  for (int i = 0; i < 5; ++i) {
    HttpSocket client(server.port());
    client.send(std::string(kAgain) + kAgain + kAgain + kOnce);
    const std::string all = client.receive();
    std::size_t answers = 0;
    for (auto at = all.find("figures"); at != std::string::npos; at = all.find("figures", at + 1)) {
      ++answers;
    }
    EXPECT_EQ(answers, 4U) << all;
  }
}

}  // namespace
}  // namespace lacuna::monitoring
