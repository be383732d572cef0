#include "coordinator/http/server.h"

#include <atomic>
#include <memory>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "base/text/base64.h"
#include "coordinator/http/http_client.h"
#include "tests/coordinator/http_socket.h"

namespace lacuna::coordinator {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kToken = "0123456789abcdef";

class FakeApi final : public ServerApi {
 public:
  Json status() override { return {{"run", "<b>first</b>"}, {"step", 7}}; }
  Json history() override { return {{"loss", Json::object()}}; }
  Json heartbeat(const Json& heartbeat) override {
    if (heartbeat.value("rank", -1) < 0) throw DataError("no such rank");
    return {{"leave", false}};
  }
  void request_checkpoint() override { ++checkpoints; }
  void request_stop() override { ++stops; }
  std::atomic<int> checkpoints{0}, stops{0};
};

class ServerTest : public ::testing::Test {
 protected:
  HttpReply ask(const char* method, const char* target, const std::string& body = "",
                const char* token = kToken) {
    return HttpClient("127.0.0.1", server_.port(), token).request(method, target, body, 20);
  }
  std::string raw(const std::string& text) {
    HttpSocket socket(server_.port());
    socket.send(text);
    return socket.receive();
  }
  static std::string request(const std::string& line, const std::string& more = "") {
    return line + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer " + kToken +
           "\r\n" + more + "\r\n";
  }
  void expect_alive() { EXPECT_EQ(ask("GET", "/api/status").status, 200); }

  FakeApi api_;
  Server server_{api_, "127.0.0.1", 0, kToken, {}};
};

TEST_F(ServerTest, TellsTheStatusToWhoeverKnowsTheToken) {
  const HttpReply reply = ask("GET", "/api/status");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(Json::parse(reply.body).at("step"), 7);
}

TEST_F(ServerTest, EverythingIsRefusedWithoutTheToken) {
  for (const char* target : {"/", "/api/status", "/api/checkpoint", "/api/stop", "/nothing"}) {
    for (const char* method : {"GET", "POST"}) {
      for (const char* token : {"", "0123456789abcdee", "0123456789abcdef0"}) {
        EXPECT_EQ(ask(method, target, "", token).status, 401) << method << " " << target;
      }
    }
  }
  EXPECT_THAT(raw("GET /api/status HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 401"));
  EXPECT_EQ(api_.stops + api_.checkpoints, 0);
}

// Browsers send Basic credentials along with requests that foreign pages make.
TEST_F(ServerTest, ABrowsersPasswordOpensPagesButChangesNothing) {
  const std::string basic = "Authorization: Basic " + base64("lacuna:" + std::string(kToken));
  const auto with = [&](const std::string& line) {
    return raw(line + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + basic + "\r\n\r\n");
  };
  EXPECT_THAT(with("GET /"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(with("POST /api/stop"), StartsWith("HTTP/1.1 401"));
  EXPECT_EQ(api_.stops, 0);
}

TEST_F(ServerTest, RequestsReachTheRunOnceEach) {
  EXPECT_EQ(ask("POST", "/api/checkpoint").status, 202);
  EXPECT_EQ(ask("POST", "/api/stop").status, 202);
  EXPECT_EQ(api_.checkpoints, 1);
  EXPECT_EQ(api_.stops, 1);
}

TEST_F(ServerTest, ThePageAndWhatItLoadsComeFromThisServerAlone) {
  for (const char* target :
       {"/", "/page.css", "/page.js", "/line_chart.js", "/chart.js", "/api/history"}) {
    const std::string reply = raw(request(std::string("GET ") + target));
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 200")) << target;
    EXPECT_THAT(reply, HasSubstr("default-src 'none'; script-src 'self';")) << target;
    EXPECT_THAT(reply, Not(HasSubstr("unsafe-inline"))) << target;
    EXPECT_THAT(raw(request(std::string("POST ") + target)), StartsWith("HTTP/1.1 405")) << target;
  }
  EXPECT_THAT(ask("GET", "/chart.js").body, HasSubstr("Released under the MIT License"));
}

TEST_F(ServerTest, WrongTargetsMethodsAndBodiesAreRefused) {
  EXPECT_EQ(ask("GET", "/api/nothing").status, 404);
  EXPECT_EQ(ask("POST", "/api/status").status, 405);
  EXPECT_EQ(ask("GET", "/api/stop").status, 405);
  EXPECT_EQ(ask("POST", "/api/heartbeat", "{\"rank\": 1}").status, 200);
  EXPECT_EQ(ask("POST", "/api/heartbeat", "{\"rank\": -2}").status, 400);
  EXPECT_EQ(ask("POST", "/api/heartbeat", "{\"rank\": \"x\"").status, 400);
  EXPECT_EQ(ask("POST", "/api/heartbeat", "[]").status, 400);
  EXPECT_EQ(ask("POST", "/api/heartbeat", std::string(60'000, '[')).status, 400);
  expect_alive();
}

TEST_F(ServerTest, OversizedRequestsAreRefused) {
  const std::string filler = "X-Filler: " + std::string(9000, 'a') + "\r\n";
  EXPECT_THAT(raw(request("GET /api/status", filler)), StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(raw(request("POST /api/heartbeat", "Content-Length: 70000\r\n")),
              StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(raw(request("POST /api/heartbeat", "Content-Length: 99999999999999999999\r\n")),
              StartsWith("HTTP/1.1 4"));
  std::string chunked = request("POST /api/heartbeat", "Transfer-Encoding: chunked\r\n");
  for (int i = 0; i < 80; ++i) chunked += "400\r\n" + std::string(1024, ' ') + "\r\n";
  EXPECT_THAT(raw(chunked + "0\r\n\r\n"), StartsWith("HTTP/1.1 413"));
  EXPECT_EQ(ask("POST", "/api/heartbeat", std::string(70'000, ' ')).status, 413);
  expect_alive();
}

TEST_F(ServerTest, NothingButHttpIsRefused) {
  EXPECT_THAT(raw("SSH-2.0-OpenSSH_9.2\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(raw("GET / HTTP/9.9\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  expect_alive();
}

// Bytes at random, and valid requests with bytes exchanged, cut off or doubled.
TEST_F(ServerTest, SurvivesThousandsOfConnectionsWithRandomBytes) {
  const std::string valid =
      request("POST /api/heartbeat", "Content-Length: 12\r\n") + "{\"rank\": 01}";
  for (std::uint64_t i = 0; i < 3000; ++i) {
    Stream random(17, Purpose::kTest, i);
    std::string bytes = valid;
    if (i % 2 == 0) {
      bytes.resize(random.below(600));
      for (char& c : bytes) c = static_cast<char>(random.below(256));
    } else {
      for (std::uint64_t k = random.below(6); k > 0; --k) {
        bytes[random.below(bytes.size())] = static_cast<char>(random.below(256));
      }
      bytes.resize(random.below(bytes.size() + 1));
      if (random.chance(0.2)) bytes += bytes;
    }
    HttpSocket socket(server_.port());
    socket.send(bytes);
    if (i % 50 == 0) {
      socket.shut();
      EXPECT_THAT(socket.receive(), Not(HasSubstr("<still open>"))) << "seed " << i;
    }
  }
  expect_alive();
  EXPECT_EQ(api_.stops + api_.checkpoints, 0);
}

TEST(ServerLimitsTest, SlowClientsHinderNobodyAndAreDropped) {
  FakeApi api;
  HttpLimits limits;
  limits.connections = 8;
  limits.request_seconds = 0.3;
  const Server server(api, "127.0.0.1", 0, kToken, limits);
  HttpSocket slow(server.port());
  const std::string text = "GET /api/status HTTP/1.1\r\n";
  std::size_t sent = 0;
  bool open = true;
  // Byte for byte, with a good request in between each: the deadline is for the whole request, so
  // the slow one is cut off although it never pauses for long.
  for (int i = 0; i < 100'000 && open; ++i) {
    open = slow.send(text.substr(sent % text.size(), 1));
    ++sent;
    ASSERT_EQ(
        HttpClient("127.0.0.1", server.port(), kToken).request("GET", "/api/status", "", 20).status,
        200);
  }
  EXPECT_FALSE(open);
}

TEST(ServerLimitsTest, WhoHasNotShownTheTokenMakesRoom) {
  FakeApi api;
  HttpLimits limits;
  limits.connections = 4;
  const Server server(api, "127.0.0.1", 0, kToken, limits);
  HttpClient known("127.0.0.1", server.port(), kToken);
  ASSERT_EQ(known.request("GET", "/api/status", "", 20).status, 200);
  std::vector<std::unique_ptr<HttpSocket>> idle;
  for (int i = 0; i < 50; ++i) idle.push_back(std::make_unique<HttpSocket>(server.port()));
  HttpClient late("127.0.0.1", server.port(), kToken);
  EXPECT_EQ(late.request("GET", "/api/status", "", 20).status, 200);
  EXPECT_EQ(known.request("GET", "/api/status", "", 20).status, 200);
  EXPECT_EQ(idle.front()->receive(), "");  // closed
}

TEST(ServerStart, AnAddressThatCannotBeUsedIsAnErrorThatNamesIt) {
  FakeApi api;
  const Server first(api, "127.0.0.1", 0, kToken, {});
  try {
    const Server second(api, "127.0.0.1", first.port(), kToken, {});
    FAIL() << "two servers on one port";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(std::to_string(first.port())));
  }
  EXPECT_THROW(Server(api, "203.0.113.1", 0, kToken, {}), Error);  // not ours (RFC 5737)
}

TEST(ServerStart, TwoHundredCyclesLeaveNoPortThreadOrFile) {
  FakeApi api;
  const auto files = own_count("fd"), threads = own_count("task");
  int port = 0;
  for (int i = 0; i < 200; ++i) {
    const Server server(api, "127.0.0.1", port, kToken, {});
    port = server.port();  // the same again: it must be free
    HttpSocket open(port);
    if (i % 20 == 0) {
      HttpClient client("127.0.0.1", port, kToken);
      ASSERT_EQ(client.request("GET", "/api/status", "", 20).status, 200);
    }
  }
  EXPECT_EQ(own_count("fd"), files);
  EXPECT_EQ(own_count("task"), threads);
  EXPECT_THROW(HttpSocket{port}, std::runtime_error);
}

}  // namespace
}  // namespace lacuna::coordinator
