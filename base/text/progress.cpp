#include "base/text/progress.h"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

namespace lacuna {
namespace {

// Ten redraws a second look smooth; a log gets a line every ten seconds.
constexpr double kBarSeconds = 0.1, kLineSeconds = 10;
constexpr int kBarWidth = 24;
// Intervals: before there are so many the median counts, and no more are kept than that.
constexpr std::size_t kFewest = 2, kEnough = 20, kMost = 100;

}  // namespace

ProgressStyle progress_style(bool quiet) {
  if (quiet) return ProgressStyle::kQuiet;
  return ::isatty(STDERR_FILENO) != 0 ? ProgressStyle::kBar : ProgressStyle::kLines;
}

Progress::Progress(std::string label, std::string unit, std::int64_t total, ProgressStyle style)
    : Progress(std::move(label), std::move(unit), total, style, steady_clock(), std::cerr) {}

Progress::Progress(std::string label, std::string unit, std::int64_t total, ProgressStyle style,
                   const Clock& clock, std::ostream& out)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      style_(style),
      clock_(clock),
      out_(out),
      start_(clock.seconds()),
      drawn_(start_) {}

Progress::~Progress() { finish(); }

void Progress::advance(std::int64_t items) {
  const std::lock_guard lock(mutex_);
  if (first_ < 0) first_ = 0;
  done_ += items;
  draw(false);
}

void Progress::update(std::int64_t done, const std::string& note) {
  const std::lock_guard lock(mutex_);
  if (first_ < 0) first_ = done;
  const double now = clock_.seconds();
  // What ends at the first item is left out.
  if (updated_ && done > done_ && done_ > first_) {
    recent_.push_back({now - updated_at_, done - done_});
    if (recent_.size() > kMost) recent_.pop_front();
  }
  updated_ = true;
  updated_at_ = now;
  done_ = done;
  note_ = note;
  draw(false);
}

void Progress::finish() {
  const std::lock_guard lock(mutex_);
  if (!finished_) draw(true);
  finished_ = true;
}

void Progress::draw(bool last) {
  if (style_ == ProgressStyle::kQuiet || finished_) return;
  const double now = clock_.seconds();
  const double interval = style_ == ProgressStyle::kBar ? kBarSeconds : kLineSeconds;
  if (!last && now - drawn_ < interval) return;
  drawn_ = now;
  const std::string text = line(now);
  const bool news = text != shown_;
  if (style_ == ProgressStyle::kLines) {
    if (news) out_ << text << std::endl;
  } else {
    // Blanks cover what a longer line left behind.
    if (news) out_ << fmt::format("\r{:<{}}", text, shown_.size());
    if (last) out_ << '\n';
    out_.flush();
  }
  shown_ = text;
}

std::optional<double> Progress::seconds_each(double now) const {
  if (!updated_ || (done_ >= total_ && total_ > 0)) {
    const auto counted = static_cast<double>(done_ - std::max<std::int64_t>(first_, 0));
    return counted > 0 && now > start_ ? std::optional((now - start_) / counted) : std::nullopt;
  }
  if (recent_.size() < kFewest) return std::nullopt;
  double seconds = 0, items = 0;
  std::vector<double> each;
  for (const Interval& interval : recent_) {
    seconds += interval.seconds;
    items += static_cast<double>(interval.items);
    each.push_back(interval.seconds / static_cast<double>(interval.items));
  }
  if (each.size() >= kEnough) return seconds / items;
  const auto middle = each.begin() + static_cast<std::ptrdiff_t>(each.size() / 2);
  std::nth_element(each.begin(), middle, each.end());
  return *middle;
}

std::string Progress::line(double now) const {
  std::string text = label_ + "  ";
  if (total_ > 0 && style_ == ProgressStyle::kBar) {
    const auto filled = std::clamp<std::int64_t>(done_ * kBarWidth / total_, 0, kBarWidth);
    text += fmt::format("[{:<{}}] ", std::string(static_cast<std::size_t>(filled), '#'), kBarWidth);
  }
  text += total_ > 0 ? fmt::format("{}/{} {}", done_, total_, unit_)
                     : fmt::format("{} {}", done_, unit_);
  const double elapsed = now - start_;
  if (const auto each = seconds_each(now); each && *each > 0) {
    const double rate = 1 / *each;
    text += rate >= 1 || rate == 0 ? fmt::format("  {:.3g} {}/s", rate, unit_)
                                   : fmt::format("  {:.3g} s each", 1 / rate);
    if (done_ < total_) {
      text += ", " + format_duration(static_cast<double>(total_ - done_) / rate) + " left";
    }
  }
  if (done_ >= total_ && total_ > 0) text += ", took " + format_duration(elapsed);
  if (!note_.empty()) text += "  " + note_;
  return text;
}

std::string format_duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(std::max(seconds, 0.0)));
  if (seconds < 9.95) return fmt::format("{:.1f} s", std::max(seconds, 0.0));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace lacuna
