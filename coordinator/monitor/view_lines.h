// Lines of a terminal and the pieces that views are made of.
//
// Every text is cut to the width and cleaned: control characters in a status (a host name, an error
// text) never reach the terminal. Pure functions and values.
#pragma once

#include <string>
#include <vector>

#include "base/text/json.h"

namespace lacuna::coordinator {

struct ViewSize {
  int width = 100, height = 1000;  // columns, lines
  bool unicode = true;             // bars and curves of block characters; else of ASCII
};

enum class LineStyle { kPlain, kTitle, kQuiet, kAlarm, kChosen };

struct ViewLine {
  std::string text;  // UTF-8, at most `width` columns
  LineStyle style = LineStyle::kPlain;
};

class ViewLines {
 public:
  explicit ViewLines(ViewSize size) : size_(size) {}

  void add(const std::string& text, LineStyle style = LineStyle::kPlain);
  // Over as many lines as it takes: a reason must not be cut off.
  void add_wrapped(const std::string& text, LineStyle style);
  // A label on the left and a text, cut at the right.
  void field(const char* label, const std::string& text);
  // "name 0.12  name 0.34", over as many lines as it takes; nothing without numbers.
  void numbers(const char* label, const Json& object);

  static constexpr int kLabel = 12;  // columns of the labels
  int size() const { return static_cast<int>(lines_.size()); }
  // At most `height` lines.
  std::vector<ViewLine> take();

 private:
  const ViewSize size_;
  std::vector<ViewLine> lines_;
};

// `width` columns, filled up to `share` of them; "" when there is no room.
std::string progress_bar(double share, int width, bool unicode);
// Values as a row of bars, the newest `width` of them; not finite values are blanks.
std::string sparkline(const std::vector<double>& values, int width, bool unicode = true);

}  // namespace lacuna::coordinator
