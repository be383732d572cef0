#include "data/nifti/gzip.h"

#include <string>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "tests/base/python.h"

namespace lacuna::data {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string compress(const std::string& text) { return text_of(gzip(bytes_of(text), 6)); }

std::string inflate(const std::string& file) {
  return text_of(gunzip(bytes_of(file), "x.nii.gz").bytes());
}

TEST(Gzip, InflatesWhatPythonCompressed) {
  LACUNA_NEEDS_PYTHON();
  const TemporaryDirectory directory;
  ASSERT_TRUE(
      run_python("import gzip, sys\n"
                 "with gzip.open(sys.argv[1], 'wb') as f: f.write(b'lacuna ' * 10000)\n",
                 directory / "x.gz"));
  const Buffer buffer = gunzip(posix_file_system().read(directory / "x.gz"), "x.gz");
  ASSERT_EQ(buffer.size, 70'000u);
  EXPECT_EQ(text_of(buffer.bytes().last(7)), "lacuna ");
}

TEST(Gzip, InflatesSeveralMembersAndZeroPadding) {
  // The trailer names the size of the last member only, so the buffer must grow for the first.
  const std::string large(100'000, 'a');
  EXPECT_EQ(inflate(compress(large) + compress("b") + std::string(512, '\0')), large + "b");
  EXPECT_EQ(inflate(compress("")), "");
}

TEST(Gzip, RefusesWhatIsNotWholeGzip) {
  const std::string good = compress(std::string(1000, 'a') + "bcd");
  EXPECT_THROW(inflate(""), DataError);
  EXPECT_THROW(inflate("plain text, not compressed"), DataError);
  EXPECT_THROW(inflate(good + "x"), DataError);
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_THROW(inflate(good.substr(0, size)), DataError) << "truncated to " << size;
  }
}

// A file of 64 MB of zeros behind what is wanted takes memory for what is wanted.
TEST(Gzip, NoMoreIsInflatedThanIsWanted) {
  std::vector<std::byte> bytes(std::size_t{64} << 20);
  for (std::size_t i = 0; i < 5000; ++i) bytes[i] = static_cast<std::byte>(i * i);
  const auto packed = gzip(bytes, 1);
  for (const std::size_t most : {std::size_t{1}, std::size_t{352}, std::size_t{5000}}) {
    const Buffer bounded = gunzip(packed, "a.nii.gz", most),
                 start = inflate_prefix(packed, "a", most);
    EXPECT_EQ(bounded.size, most);
    EXPECT_TRUE(std::equal(bounded.bytes().begin(), bounded.bytes().end(), bytes.begin()));
    EXPECT_EQ(start.size, most);
    EXPECT_TRUE(std::equal(start.bytes().begin(), start.bytes().end(), bytes.begin()));
  }
  // A few bytes more than is wanted: inflated, and checked, as a whole.
  const auto little = gzip(std::span(bytes).first(6000), 6);
  EXPECT_EQ(gunzip(little, "a.nii.gz", 5000).size, 6000u);
  // Members one behind the other, and streams that end early or are cut off.
  auto twice = little;
  twice.insert(twice.end(), little.begin(), little.end());
  EXPECT_EQ(inflate_prefix(twice, "a", 7000).size, 7000u);
  EXPECT_EQ(inflate_prefix(little, "a", 7000).size, 6000u);
  EXPECT_THROW(inflate_prefix(std::span(little).first(little.size() / 2), "a", 6000), DataError);
}

TEST(Gzip, SurvivesFlippedBytes) {
  std::string text;
  Stream random(1, Purpose::kTest, 0);
  for (int i = 0; i < 500; ++i) text += static_cast<char>('a' + random.below(7));
  const std::string good = compress(text);
  for (int i = 0; i < 3000; ++i) {
    std::string bad = good;
    bad[random.below(bad.size())] ^= static_cast<char>(1 + random.below(255));
    try {
      inflate(bad);  // a flag or the time of the gzip header may change unnoticed
    } catch (const DataError&) {
    }
  }
}

}  // namespace
}  // namespace lacuna::data
