#include "app/shared/live_terminal.h"

#include <csignal>
#include <cstdlib>
#include <string_view>
#include <utility>

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace lacuna::app {
namespace {

void put(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data() + at, text.size() - at);
    if (written <= 0) return;  // the terminal is gone
    at += static_cast<std::size_t>(written);
  }
}

void do_nothing(int) {}

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {  // the first that is set counts
    const std::string_view value = environment(name);
    if (value.empty()) continue;
    return value.find("UTF-8") != value.npos || value.find("utf8") != value.npos;
  }
  return false;
}

// Takes one key off what was typed: several come in one piece from an impatient finger or a slow
// line.
Key take_key(std::string& typed) {
  static constexpr std::pair<std::string_view, Key> kKeys[] = {
      {"\x1b[A", Key::kUp},   {"\x1bOA", Key::kUp}, {"k", Key::kUp},     {"\x1b[B", Key::kDown},
      {"\x1bOB", Key::kDown}, {"j", Key::kDown},    {"\r", Key::kEnter}, {"\n", Key::kEnter},
      {"\x1b", Key::kBack},   {"q", Key::kQuit}};
  while (!typed.empty()) {
    for (const auto& [bytes, key] : kKeys) {
      if (!typed.starts_with(bytes)) continue;
      typed.erase(0, bytes.size());
      return key;
    }
    typed.erase(0, 1);
  }
  return Key::kNone;
}

}  // namespace

coordinator::ViewSize terminal_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
    return {80, 24, is_utf8()};
  }
  return {size.ws_col, size.ws_row, is_utf8()};
}

bool is_live_terminal() {
  return ::isatty(STDOUT_FILENO) != 0 && !environment("TERM").empty() &&
         environment("TERM") != "dumb";
}

Paint terminal_paint() {
  if (!is_live_terminal()) return Paint::kNone;
  return environment("NO_COLOR").empty() ? Paint::kColour : Paint::kMonochrome;
}

std::string paint(const coordinator::ViewLine& line, Paint how) {
  using coordinator::LineStyle;
  if (how == Paint::kNone || line.style == LineStyle::kPlain) return line.text;
  const char* alarm = how == Paint::kColour ? "\x1b[31m" : "\x1b[1m";
  const char* code = line.style == LineStyle::kTitle    ? "\x1b[1m"
                     : line.style == LineStyle::kQuiet  ? "\x1b[2m"
                     : line.style == LineStyle::kChosen ? "\x1b[7m"
                                                        : alarm;
  return code + line.text + "\x1b[0m";
}

LiveTerminal::LiveTerminal() : paint_(terminal_paint()) {
  if (::tcgetattr(STDIN_FILENO, &former_) == 0) {
    termios raw = former_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VSUSP] = _POSIX_VDISABLE;  // a stopped program would leave the screen as it is
    raw_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  // With a handler, a change of size interrupts poll(); by default it would pass unnoticed.
  struct sigaction action {};
  action.sa_handler = do_nothing;
  ::sigaction(SIGWINCH, &action, nullptr);
  put("\x1b[?1049h\x1b[?25l\x1b[2J");
}

LiveTerminal::~LiveTerminal() {
  put("\x1b[?25h\x1b[?1049l");
  if (raw_) ::tcsetattr(STDIN_FILENO, TCSANOW, &former_);
  ::signal(SIGWINCH, SIG_DFL);
}

void LiveTerminal::draw(const std::vector<coordinator::ViewLine>& lines) {
  std::string frame = "\x1b[H";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    frame += (i > 0 ? "\r\n" : "") + paint(lines[i], paint_) + "\x1b[K";
  }
  put(frame + "\x1b[J");
}

Key LiveTerminal::wait(double seconds) {
  if (const Key key = take_key(typed_); key != Key::kNone) return key;
  pollfd input{STDIN_FILENO, POLLIN, 0};
  if (::poll(&input, raw_ ? 1 : 0, static_cast<int>(seconds * 1000)) <= 0) return Key::kNone;
  char bytes[64];
  const ssize_t count = ::read(STDIN_FILENO, bytes, sizeof bytes);
  if (count <= 0) return Key::kQuit;
  typed_.append(bytes, static_cast<std::size_t>(count));
  return take_key(typed_);
}

}  // namespace lacuna::app
