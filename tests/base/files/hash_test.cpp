#include "base/files/hash.h"

#include <string>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"

namespace lacuna {
namespace {

// Values of xxh3_64_hexdigest() of the xxhash package for Python.
TEST(Hash, MatchesPublishedValues) {
  EXPECT_EQ(hash_hex(std::string_view()), "2d06800538d394c2");
  EXPECT_EQ(hash_hex("a"), "e6c632b61e964e1f");
}

TEST(Hash, DependsOnBytesNotOnPieces) {
  std::string text;
  for (int i = 0; i < 300'000; ++i) text += static_cast<char>(i * 7);
  const std::string whole = hash_hex(text);
  EXPECT_EQ(Hasher().add(text.substr(0, 1000)).add(text.substr(1000)).hex(), whole);
  const TemporaryDirectory directory;
  write_durably(posix_file_system(), directory / "file", text + std::string(2 << 20, 'x'));
  EXPECT_EQ(hash_file_hex(directory / "file"), hash_hex(text + std::string(2 << 20, 'x')));
  EXPECT_THROW(hash_file_hex(directory / "none"), DataError);
}

}  // namespace
}  // namespace lacuna
