// Numbers, texts and lists as bytes and back, in the machine's own form: for processes of one
// program on machines of one kind, never for files.
//
// Not thread-safe. Unpacker throws DataError where the bytes end too early.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/error.h"

namespace lacuna::evaluation {

class Packer {
 public:
  template <typename T>
  void put(const T& value) {
    static_assert(std::is_arithmetic_v<T>);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  template <typename T>
  void put(const std::vector<T>& values) {
    static_assert(std::is_arithmetic_v<T>);
    put(std::uint64_t{values.size()});
    bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  }
  void put(const std::string& text) {
    put(std::uint64_t{text.size()});
    bytes += text;
  }

  std::string bytes;
};

class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : bytes_(bytes) {}

  template <typename T>
  T take() {
    T value;
    std::memcpy(&value, piece(sizeof value).data(), sizeof value);
    return value;
  }
  template <typename T>
  std::vector<T> take_list() {
    const auto count = take<std::uint64_t>();
    if (count > bytes_.size() / sizeof(T)) end();
    std::vector<T> values(count);
    const std::string_view from = piece(count * sizeof(T));
    if (count > 0) std::memcpy(values.data(), from.data(), from.size());
    return values;
  }
  std::string take_text() { return std::string(piece(take<std::uint64_t>())); }

 private:
  [[noreturn]] static void end() {
    throw DataError("what another rank found came only in part. Do the ranks run one program?");
  }
  std::string_view piece(std::uint64_t size) {
    if (size > bytes_.size()) end();
    const std::string_view result = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return result;
  }
  std::string_view bytes_;
};

}  // namespace lacuna::evaluation
