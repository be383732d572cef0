// A terminal that shows one changing screen: redrawn in place, restored at the end.
//
// One at a time; not thread-safe.
#pragma once

#include <string>
#include <vector>

#include <termios.h>

#include "coordinator/monitor/view_lines.h"

namespace lacuna::app {

// Of standard output: its size (80 x 24 when it cannot be known), and block characters where the
// locale is UTF-8.
coordinator::ViewSize terminal_size();
// Whether standard output is a terminal that can be redrawn (TERM is not dumb).
bool is_live_terminal();

// How styles are shown. NO_COLOR takes the colours away and leaves bold and reverse.
enum class Paint { kNone, kMonochrome, kColour };
Paint terminal_paint();
// A line with its style as an escape sequence of any terminal since the VT100.
std::string paint(const coordinator::ViewLine& line, Paint how);

enum class Key { kNone, kUp, kDown, kEnter, kBack, kQuit };

class LiveTerminal {
 public:
  LiveTerminal();   // switches to the alternate screen, without cursor and echo
  ~LiveTerminal();  // puts everything back
  LiveTerminal(const LiveTerminal&) = delete;
  LiveTerminal& operator=(const LiveTerminal&) = delete;

  // In one write, over what was there: no flicker.
  void draw(const std::vector<coordinator::ViewLine>& lines);
  // Until a key is pressed, the window changes its size, a signal arrives or the time is over (both
  // kNone). kQuit when the terminal is gone.
  Key wait(double seconds);

 private:
  bool raw_ = false;
  termios former_{};
  std::string typed_;  // keys that were not taken yet
  const Paint paint_;
};

}  // namespace lacuna::app
