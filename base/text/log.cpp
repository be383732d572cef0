#include "base/text/log.h"

#include <cstdlib>
#include <memory>
#include <string_view>

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace lacuna::log {
namespace {

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>(
        "lacuna", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    made->set_pattern("%^%l%$: %v");
    const char* level = std::getenv("LACUNA_LOG");
    made->set_level(level ? spdlog::level::from_str(level) : spdlog::level::info);
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *instance;
}

}  // namespace

void write(Level level, const std::string& text) { logger().log(to_spdlog(level), "{}", text); }

void set_level(Level level) { logger().set_level(to_spdlog(level)); }

void set_rank(int rank) {
  const auto& terminal = logger().sinks().front();
  terminal->set_level(spdlog::level::warn);
  terminal->set_pattern("%^%l%$: rank " + std::to_string(rank) + ": %v");
}

void add_file(const std::string& path) {
  auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
  sink->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  logger().sinks().push_back(sink);
}

}  // namespace lacuna::log
