#include "app/live_terminal.h"

#include <csignal>
#include <cstdlib>

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

}  // namespace

coordinator::ViewSize terminal_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {80, 24};
  return {size.ws_col, size.ws_row};
}

std::string paint(const coordinator::ViewLine& line, bool colour) {
  using coordinator::LineStyle;
  if (!colour || line.style == LineStyle::kPlain) return line.text;
  const char* code = line.style == LineStyle::kTitle   ? "\x1b[1m"
                     : line.style == LineStyle::kQuiet ? "\x1b[2m"
                                                       : "\x1b[31m";
  return code + line.text + "\x1b[0m";
}

LiveTerminal::LiveTerminal() {
  if (::tcgetattr(STDIN_FILENO, &former_) == 0) {
    termios raw = former_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
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
    frame += (i > 0 ? "\r\n" : "") + paint(lines[i], /*colour=*/true) + "\x1b[K";
  }
  put(frame + "\x1b[J");
}

char LiveTerminal::wait(double seconds) {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  if (::poll(&input, raw_ ? 1 : 0, static_cast<int>(seconds * 1000)) <= 0) return 0;
  char key = 0;
  return ::read(STDIN_FILENO, &key, 1) == 1 ? key : 'q';  // the terminal is gone
}

}  // namespace lacuna::app
