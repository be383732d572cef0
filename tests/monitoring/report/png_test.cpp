#include "monitoring/report/png.h"

#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"

namespace lacuna::monitoring {
namespace {

// Undoes the filters with Python's own zlib and checks the checksums of every chunk.
constexpr const char* kDecode = R"(
import struct, sys, zlib
data = open(sys.argv[1], 'rb').read()
assert data[:8] == b'\x89PNG\r\n\x1a\n'
at, packed = 8, b''
while at < len(data):
    size, kind = struct.unpack('>I4s', data[at:at + 8])
    body = data[at + 8:at + 8 + size]
    assert struct.unpack('>I', data[at + 8 + size:at + 12 + size])[0] == zlib.crc32(kind + body)
    if kind == b'IHDR': width, height, depth, colour = struct.unpack('>IIBB', body[:10])
    if kind == b'IDAT': packed += body
    at += 12 + size
assert depth == 8
step = {0: 1, 2: 3}[colour]
raw, row = zlib.decompress(packed), width * step
previous = bytes(row)
for y in range(height):
    kind, line = raw[y * (row + 1)], bytearray(raw[y * (row + 1) + 1:(y + 1) * (row + 1)])
    assert kind == 4
    for i in range(row):
        a = line[i - step] if i >= step else 0
        b, c = previous[i], previous[i - step] if i >= step else 0
        p = a + b - c
        nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
        line[i] = (line[i] + nearest) % 256
    for i in range(row):
        assert line[i] == (y * 37 + i * 11 + (y * i) % 5) % 256, (y, i)
    previous = bytes(line)
)";

TEST(Png, HoldsThePixelsThatADecoderFinds) {
  const TemporaryDirectory directory;
  std::ofstream(directory / "decode.py") << kDecode;
  for (const int channels : {1, 3}) {
    Image image{17, 9, channels, {}};
    for (int y = 0; y < image.height; ++y) {
      for (int i = 0; i < image.width * channels; ++i) {
        image.pixels.push_back(static_cast<std::uint8_t>((y * 37 + i * 11 + (y * i) % 5) % 256));
      }
    }
    const auto bytes = encode_png(image);
    const auto path = directory / "image.png";
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    const std::string command =
        "python3 " + (directory / "decode.py").string() + " " + path.string();
    EXPECT_EQ(std::system(command.c_str()), 0) << channels << " channels";
  }
}

TEST(Png, RefusesPixelsThatDoNotFitTheSize) {
  EXPECT_THROW(encode_png({3, 3, 1, std::vector<std::uint8_t>(8)}), Error);
  EXPECT_THROW(encode_png({0, 3, 1, {}}), Error);
}

}  // namespace
}  // namespace lacuna::monitoring
