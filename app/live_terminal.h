// A terminal that shows one changing screen: redrawn in place, restored at the end.
//
// One at a time; not thread-safe.
#pragma once

#include <string>
#include <vector>

#include <termios.h>

#include "coordinator/monitor_view.h"

namespace lacuna::app {

// Standard output's size; 80 x 24 when it cannot be known.
coordinator::ViewSize terminal_size();

// A line with its colour, as an escape sequence where `colour`.
std::string paint(const coordinator::ViewLine& line, bool colour);

class LiveTerminal {
 public:
  LiveTerminal();   // switches to the alternate screen, without cursor and echo
  ~LiveTerminal();  // puts everything back
  LiveTerminal(const LiveTerminal&) = delete;
  LiveTerminal& operator=(const LiveTerminal&) = delete;

  // In one write, over what was there: no flicker.
  void draw(const std::vector<coordinator::ViewLine>& lines);
  // Until a key is pressed (returned), the window changes its size, a signal arrives or the time is
  // over (0).
  char wait(double seconds);

 private:
  bool raw_ = false;
  termios former_{};
};

}  // namespace lacuna::app
