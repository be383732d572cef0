#include "comm/collective_log.h"

#include <algorithm>

#include <fmt/format.h>

namespace lacuna::comm {

CollectiveLog::CollectiveLog(std::size_t length, const Clock& clock)
    : ring_(std::max<std::size_t>(length, 1)), clock_(clock) {}

std::int64_t CollectiveLog::start(const char* kind, std::size_t bytes) {
  ++last_;
  ring_[static_cast<std::size_t>(last_) % ring_.size()] = {last_, kind, bytes, clock_.seconds()};
  return last_;
}

void CollectiveLog::finish(std::int64_t sequence) {
  Entry& entry = ring_[static_cast<std::size_t>(sequence) % ring_.size()];
  if (entry.sequence == sequence) entry.finished = clock_.seconds();
}

std::string CollectiveLog::tail() const {
  std::string text;
  const auto length = static_cast<std::int64_t>(ring_.size());
  for (std::int64_t s = std::max<std::int64_t>(1, last_ - length + 1); s <= last_; ++s) {
    const Entry& entry = ring_[static_cast<std::size_t>(s % length)];
    text +=
        fmt::format("{}#{} {} of {} bytes, ", text.empty() ? "" : "; ", s, entry.kind, entry.bytes);
    text += entry.finished >= 0
                ? fmt::format("done after {:.3f} s", entry.finished - entry.started)
                : fmt::format("open for {:.1f} s", clock_.seconds() - entry.started);
  }
  return text.empty() ? "none" : text;
}

}  // namespace lacuna::comm
