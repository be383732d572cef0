#include "tests/fuzz/mutate.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace lacuna::fuzz {
namespace {

// Below n. The standard's distributions differ between libraries.
std::size_t below(std::mt19937_64& random, std::size_t n) { return n == 0 ? 0 : random() % n; }

// Where sizes, counts and offsets go wrong.
void put_limit(Input& input, std::mt19937_64& random) {
  constexpr std::array<std::int64_t, 12> kLimits{
      0, 1, -1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, INT64_MAX, INT64_MIN, 32768};
  const std::size_t width = std::size_t{1} << below(random, 4);
  if (input.size() < width) return;
  const std::int64_t value = kLimits[below(random, kLimits.size())];
  std::memcpy(input.data() + below(random, input.size() - width + 1), &value, width);
}

void put_text(Input& input, std::mt19937_64& random) {
  constexpr std::array<const char*, 14> kPieces{
      "\"",           "{",  "}",    "[",    "]", ",",  "\n",
      "999999999999", "-1", "null", "\xff", ";", "..", "(a*)*"};
  const char* piece = kPieces[below(random, kPieces.size())];
  const auto* bytes = reinterpret_cast<const std::byte*>(piece);
  input.insert(input.begin() + static_cast<std::ptrdiff_t>(below(random, input.size() + 1)), bytes,
               bytes + std::strlen(piece));
}

void change(Input& input, const std::vector<Input>& corpus, std::mt19937_64& random) {
  const std::size_t at = below(random, input.size());
  const std::size_t count = std::min(1 + below(random, 64), input.size() - at);
  const auto begin = input.begin() + static_cast<std::ptrdiff_t>(at),
             end = begin + static_cast<std::ptrdiff_t>(count);
  switch (below(random, 8)) {
    case 0:
      if (!input.empty()) input[at] ^= std::byte{1} << static_cast<int>(below(random, 8));
      return;
    case 1:
      if (!input.empty()) input[at] = static_cast<std::byte>(random());
      return;
    case 2:
      return put_limit(input, random);
    case 3:
      return put_text(input, random);
    case 4:
      input.erase(begin, end);
      return;
    case 5: {
      const Input piece(begin, end);
      input.insert(begin, piece.begin(), piece.end());
      return;
    }
    case 6: {
      const Input& other = corpus[below(random, corpus.size())];
      const std::size_t from = below(random, other.size());
      for (std::size_t i = 0; i < count && from + i < other.size(); ++i) {
        input[at + i] = other[from + i];
      }
      return;
    }
    default:
      if (below(random, 4) == 0) input.resize(at);
  }
}

}  // namespace

std::vector<Input> read_corpus(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Input> corpus;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    const auto* first = reinterpret_cast<const std::byte*>(bytes.data());
    corpus.emplace_back(first, first + bytes.size());
  }
  if (corpus.empty()) throw std::runtime_error(directory.string() + " holds no files");
  return corpus;
}

Input mutate(const std::vector<Input>& corpus, std::mt19937_64& random) {
  Input input = corpus[below(random, corpus.size())];
  for (std::size_t changes = 1 + below(random, 8); changes > 0; --changes) {
    change(input, corpus, random);
  }
  return input;
}

}  // namespace lacuna::fuzz
