// A file of lines that another process appends to (metrics.jsonl), read piece by piece: each call
// visits what is new, and costs nothing when nothing is.
//
// Not thread-safe. A file that is missing or cannot be read is an empty one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace lacuna::coordinator {

class LinesFollower {
 public:
  explicit LinesFollower(std::filesystem::path path) : path_(std::move(path)) {}

  // Bytes that the next read() will visit, about.
  std::uintmax_t unread() const;

  // Each whole line since the last call, without its newline, and how many bytes of the file follow
  // it. False, and nothing is visited, when what was read before is not there any more (a resumed
  // run drops lines): follow the file anew, with another object.
  using Visit = std::function<void(std::string_view line, std::uintmax_t left)>;
  bool read(const Visit& visit);

 private:
  const std::filesystem::path path_;
  std::uintmax_t offset_ = 0;
  std::string last_;  // the end of what was read, to be found again before offset_
};

}  // namespace lacuna::coordinator
