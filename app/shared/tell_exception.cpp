#include "app/shared/tell_exception.h"

#include <exception>
#include <fstream>
#include <new>
#include <system_error>

#include <sys/resource.h>

#include "base/text/json.h"
#include "base/text/log.h"

namespace lacuna::app {
namespace {

// "4096" of `ulimit -u`; "none".
std::string process_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NPROC, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return "none";
  return std::to_string(limit.rlim_cur);
}

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  return std::getline(file, line) ? line : "not known";
}

Told describe_exception() {
  try {
    throw;
  } catch (const Error& error) {
    return {error.code(), error.what()};
  } catch (const std::bad_alloc&) {
    return {ExitCode::kError, "out of memory. Use a smaller patch, batch or fewer loader threads."};
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::resource_unavailable_try_again) {
      return {ExitCode::kError, fmt::format("unexpected: {}", error.what())};
    }
    // What std::thread says when the kernel gives it none.
    return {
        ExitCode::kError,
        fmt::format("no more threads or processes may be started ({}). The limit of this user "
                    "(ulimit -u) is {}, that of the container or job (pids.max) {}. Raise it, or "
                    "use fewer: data.loader_threads, train.threads, --ranks.",
                    error.what(), process_limit(), first_line("/sys/fs/cgroup/pids.max"))};
  } catch (const Json::type_error& error) {
    if (error.id != 316) return {ExitCode::kError, fmt::format("unexpected: {}", error.what())};
    return {ExitCode::kError,
            fmt::format("a name of a file, or a text, is not UTF-8, in which all files are written "
                        "({}). Rename the file or directory, or make a link to it that has a plain "
                        "name.",
                        error.what())};
  } catch (const std::exception& error) {
    return {ExitCode::kError, fmt::format("unexpected: {}", error.what())};
  }
}

}  // namespace

Told tell_exception() {
  Told told = describe_exception();
  log::error("{}", told.text);
  return told;
}

}  // namespace lacuna::app
