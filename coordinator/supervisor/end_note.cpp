#include "coordinator/supervisor/end_note.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/process/clock.h"
#include "base/process/deadlines.h"
#include "base/process/host.h"
#include "base/text/parse_json.h"
#include "coordinator/status/heartbeat.h"

namespace lacuna::coordinator {
namespace {

constexpr double kPatience = 3;  // seconds
constexpr std::array<int, 5> kFatal{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

Path log_directory(const Path& run_directory) { return run_directory / "log"; }
Path note_path(const Path& run_directory, int rank) {
  return log_directory(run_directory) / fmt::format("rank-{}.end", rank);
}

std::string text_of(int rank, int code, int signal, const std::string& reason) {
  const Json note = {{"rank", rank},
                     {"host", host_name()},
                     {"pid", ::getpid()},
                     {"code", code},
                     {"signal", signal},
                     {"reason", reason},
                     {"time", utc_text(steady_clock().unix_seconds())}};
  return dump_line(note) + "\n";
}

void write_file(const char* path, int flags, const char* text, std::size_t size) {
  const int file = ::open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
  if (file < 0) return;
  [[maybe_unused]] const ssize_t written = ::write(file, text, size);
  ::close(file);
}

std::vector<Path> find_notes(const Path& run_directory) {
  std::vector<Path> found;
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator(log_directory(run_directory), ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("rank-") && name.ends_with(".end")) found.push_back(entry.path());
  }
  return found;
}

// Made beforehand, because a handler may hardly do anything but write.
struct FatalNotes {
  std::string path;
  std::array<std::string, kFatal.size()> texts;
  std::array<struct sigaction, kFatal.size()> former;
};
FatalNotes* fatal_notes = nullptr;

void on_fatal_signal(int number) {
  for (std::size_t i = 0; fatal_notes != nullptr && i < kFatal.size(); ++i) {
    if (kFatal[i] != number) continue;
    const std::string& text = fatal_notes->texts[i];
    write_file(fatal_notes->path.c_str(), O_TRUNC, text.data(), text.size());
    // Back at the instruction that failed the signal comes again, to whoever had it before.
    ::sigaction(number, &fatal_notes->former[i], nullptr);
  }
}

}  // namespace

void leave_end_note(const Path& run_directory, int rank, int code, const std::string& reason) {
  const std::string path = note_path(run_directory, rank).string();
  const std::string text = text_of(rank, code, 0, reason);
  const std::string log =
      (log_directory(run_directory) / fmt::format("rank-{}.log", rank)).string();
  const std::string line =
      fmt::format("{} error {}\n", utc_text(steady_clock().unix_seconds()), reason);
  run_detached(kPatience, [&] {
    write_file(path.c_str(), O_TRUNC, text.data(), text.size());
    if (!reason.empty()) write_file(log.c_str(), O_APPEND, line.data(), line.size());
  });
}

void note_fatal_signals(const Path& run_directory, int rank) {
  if (fatal_notes != nullptr) return;
  auto* notes = new FatalNotes;
  notes->path = note_path(run_directory, rank).string();
  for (std::size_t i = 0; i < kFatal.size(); ++i) {
    notes->texts[i] = text_of(rank, 0, kFatal[i], ::strsignal(kFatal[i]));
  }
  fatal_notes = notes;
  for (std::size_t i = 0; i < kFatal.size(); ++i) {
    struct sigaction action {};
    action.sa_handler = on_fatal_signal;
    sigemptyset(&action.sa_mask);
    ::sigaction(kFatal[i], &action, &notes->former[i]);
  }
}

void clear_end_notes(const Path& run_directory) {
  std::error_code ignored;
  std::filesystem::create_directories(log_directory(run_directory), ignored);
  for (const Path& each : find_notes(run_directory)) std::filesystem::remove(each, ignored);
}

int count_end_notes(const Path& run_directory) {
  return static_cast<int>(find_notes(run_directory).size());
}

std::vector<EndNote> read_end_notes(const Path& run_directory) {
  std::vector<EndNote> notes;
  for (const Path& path : find_notes(run_directory)) {
    std::ifstream file(path);
    const Json json = parse_json_line(std::string(std::istreambuf_iterator<char>(file), {}));
    if (!json.is_object()) continue;  // torn, or being written
    try {
      notes.push_back({json.at("rank"), json.at("host"), json.at("code"), json.at("signal"),
                       json.at("reason")});
    } catch (const Json::exception&) {
      continue;
    }
  }
  std::sort(notes.begin(), notes.end(),
            [](const EndNote& a, const EndNote& b) { return a.rank < b.rank; });
  return notes;
}

}  // namespace lacuna::coordinator
