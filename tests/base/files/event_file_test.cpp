// What TensorBoard makes of such a file: tests/monitoring/export.
#include "base/files/event_file.h"

#include <cstring>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "tests/base/system_calls.h"

namespace lacuna {
namespace {

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The lengths of the records; fails where the file does not end with a whole one.
std::vector<std::uint64_t> records(const std::string& bytes) {
  std::vector<std::uint64_t> lengths;
  std::size_t at = 0;
  while (at < bytes.size()) {
    std::uint64_t length = 0;
    if (at + 12 > bytes.size()) break;
    std::memcpy(&length, bytes.data() + at, 8);
    lengths.push_back(length);
    at += 16 + length;
  }
  EXPECT_EQ(at, bytes.size());
  return lengths;
}

TEST(EventFile, RefusesToWriteOverAnother) {
  const TemporaryDirectory directory;
  const EventFile file(directory / "events", 0);
  EXPECT_THROW(EventFile(directory / "events", 0), DataError);
}

TEST(EventFile, AFullDiskLeavesNoPartOfARecord) {
  const TemporaryDirectory directory;
  SystemCalls calls("full-events");
  EventFile file(directory / "full-events", 0);
  file.scalars(1, 1, {{"loss/total", 0.5}});
  calls.fill_disk_after(20);
  file.scalars(2, 2, {{"loss/total", 0.25}});
  EXPECT_EQ(records(bytes_of(directory / "full-events")).size(), 2u);
  calls.free_disk();
  file.scalars(3, 3, {{"loss/total", 0.125}});
  EXPECT_EQ(records(bytes_of(directory / "full-events")).size(), 3u);
  EXPECT_FALSE(file.sync()) << "a record is missing";
}

}  // namespace
}  // namespace lacuna
