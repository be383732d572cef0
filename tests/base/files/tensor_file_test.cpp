#include "base/files/tensor_file.h"

#include <cstring>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files/temporary_directory.h"
#include "base/random.h"
#include "tests/base/python.h"

namespace lacuna {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename T>
TensorView view_of(const std::string& name, DType type, std::vector<std::int64_t> shape,
                   const std::vector<T>& values) {
  return {name, type, std::move(shape), std::as_bytes(std::span(values))};
}

template <typename T>
std::vector<T> values_of(const TensorView& view) {
  std::vector<T> values(view.bytes.size() / sizeof(T));
  std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
  return values;
}

// What Python's package writes and reads, for each type that Lacuna knows.
constexpr const char* kWrite = R"(
import sys, numpy as np
from safetensors import TensorSpec, serialize_file
types = ['float64', 'float32', 'float16', 'int64', 'int32', 'int16', 'uint8']
count = np.arange(6).reshape(2, 3)
arrays = {name: count.astype(name) for name in types}
arrays['bool'] = (count % 2).astype('bool')
arrays['empty'] = np.zeros((0, 4), 'float32')
arrays['scalar'] = np.array(2.5, 'float32')
arrays['bfloat16'] = (count.astype('float32').view('uint32') >> 16).astype('uint16')
tensors = {name: TensorSpec(dtype=name if name == 'bfloat16' else str(a.dtype), shape=a.shape,
                            data_ptr=a.ctypes.data, data_len=a.nbytes)
           for name, a in arrays.items()}
serialize_file(tensors, sys.argv[1], metadata={'step': '7'})
)";

TEST(TensorFile, ReadsWhatPythonWrote) {
  LACUNA_NEEDS_PYTHON();
  const TemporaryDirectory directory;
  ASSERT_TRUE(run_python(kWrite, directory / "file"));
  const TensorFile file(directory / "file");
  ASSERT_EQ(file.tensors().size(), 11u);
  EXPECT_EQ(file.metadata().at("step"), "7");
  const std::pair<const char*, const char*> names[] = {
      {"float64", "F64"},   {"float32", "F32"}, {"float16", "F16"},
      {"bfloat16", "BF16"}, {"int64", "I64"},   {"int32", "I32"},
      {"int16", "I16"},     {"uint8", "U8"},    {"bool", "BOOL"}};
  for (const auto& [name, type] : names) {
    const TensorView* view = file.find(name);
    ASSERT_NE(view, nullptr) << name;
    EXPECT_STREQ(safetensors_name(view->type), type);
    EXPECT_THAT(view->shape, ElementsAre(2, 3));
  }
  EXPECT_THAT(values_of<double>(*file.find("float64")), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(values_of<float>(*file.find("float32")), ElementsAre(0, 1, 2, 3, 4, 5));
  // 5 is 1.25 * 2^2: half 0x4500, bfloat 0x40A0.
  EXPECT_EQ(values_of<std::uint16_t>(*file.find("float16"))[5], 0x4500);
  EXPECT_EQ(values_of<std::uint16_t>(*file.find("bfloat16"))[5], 0x40A0);
  EXPECT_THAT(values_of<std::int64_t>(*file.find("int64")), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(values_of<std::uint8_t>(*file.find("bool")), ElementsAre(0, 1, 0, 1, 0, 1));
  EXPECT_THAT(values_of<float>(*file.find("scalar")), ElementsAre(2.5f));
  EXPECT_TRUE(file.find("scalar")->shape.empty());
  EXPECT_TRUE(file.find("empty")->bytes.empty());
  EXPECT_EQ(file.find("none"), nullptr);
}

constexpr const char* kRead = R"(
import sys, numpy as np
from safetensors import safe_open
def check(name, expected):
    found = file.get_tensor(name)
    assert found.dtype == expected.dtype and np.array_equal(found, expected), (name, found)
with safe_open(sys.argv[1], 'np') as file:
    assert file.metadata() == {'method': 'm'}, file.metadata()
    assert sorted(file.keys()) == ['a.bias', 'a.weight', 'flags', 'none'], file.keys()
    check('a.weight', np.array([[1.5, -2.0]]))
    check('a.bias', np.array([3.25], 'float32'))
    check('flags', np.array([True, False, True]))
    check('none', np.zeros((3, 0), 'float32'))
)";

TEST(TensorFile, WritesWhatPythonReads) {
  LACUNA_NEEDS_PYTHON();
  const TemporaryDirectory directory;
  const std::vector<std::uint8_t> flags{1, 0, 1};
  const std::vector<float> bias{3.25f}, none;
  const std::vector<double> weight{1.5, -2.0};
  const auto bytes = encode_tensors(
      {view_of("flags", DType::kBool, {3}, flags), view_of("a.bias", DType::kF32, {1}, bias),
       view_of("a.weight", DType::kF64, {1, 2}, weight),
       view_of("none", DType::kF32, {3, 0}, none)},
      {{"method", "m"}});
  write_durably(posix_file_system(), directory / "file", bytes);
  EXPECT_TRUE(run_python(kRead, directory / "file"));
  // Largest elements first, so that each view is aligned for its type.
  const TensorFile file(directory / "file");
  EXPECT_EQ(file.tensors().front().name, "a.weight");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(file.find("a.weight")->bytes.data()) % 8, 0u);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(file.find("a.bias")->bytes.data()) % 4, 0u);
}

TEST(TensorFile, RefusesToEncodeWhatDoesNotFit) {
  const std::vector<float> values{1, 2};
  EXPECT_THROW(encode_tensors({view_of("a", DType::kF32, {3}, values)}), Error);
  EXPECT_THROW(encode_tensors({view_of("a", DType::kF32, {2}, values),
                               view_of("a", DType::kF32, {2}, values)}),
               Error);
}

std::string message_for(std::string header, std::size_t data_bytes) {
  const TemporaryDirectory directory;
  const std::uint64_t size = header.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &size, 8);
  write_durably(posix_file_system(), directory / "file",
                file + header + std::string(data_bytes, 'x'));
  try {
    const TensorFile opened(directory / "file");
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

TEST(TensorFile, NamesWhatIsWrong) {
  const auto entry = [](const char* type, const char* shape, const char* offsets) {
    return fmt::format(R"({{"t":{{"dtype":"{}","shape":{},"data_offsets":{}}}}})", type, shape,
                       offsets);
  };
  EXPECT_EQ(message_for(entry("F32", "[2]", "[0,8]"), 8), "no error");
  EXPECT_THAT(message_for(entry("F32", "[2]", "[0,8]"), 7), HasSubstr("may be truncated"));
  EXPECT_THAT(message_for(entry("F32", "[3]", "[0,8]"), 8), HasSubstr("shape [3]"));
  EXPECT_THAT(message_for(entry("F32", "[-2]", "[0,8]"), 8), HasSubstr("shape"));
  EXPECT_THAT(message_for(entry("F32", "[2]", "[8,0]"), 8), HasSubstr("8 to 0"));
  EXPECT_THAT(message_for(entry("F32", "[2]", "[4,12]"), 12), HasSubstr("hole"));
  EXPECT_THAT(message_for(entry("F32", "[2]", "[0,8]"), 9), HasSubstr("bytes follow"));
  EXPECT_THAT(message_for(entry("F8_E4M3", "[2]", "[0,2]"), 2), HasSubstr("F8_E4M3"));
  EXPECT_THAT(message_for(entry("F32", "[4611686018427387904,4]", "[0,0]"), 0), HasSubstr("shape"));
  EXPECT_THAT(message_for("[1]", 0), HasSubstr("not a JSON object"));
  EXPECT_THAT(message_for(R"({"t":5})", 0), HasSubstr("not a valid"));
  EXPECT_THAT(message_for(R"({"t":{"dtype":"F32"}})", 0), HasSubstr("not a valid"));
  EXPECT_THROW(TensorFile("/none/file"), DataError);
  EXPECT_THROW(TensorFile("/"), DataError);
}

// A damaged file is refused or read; it is never followed out of its bounds.
TEST(TensorFile, SurvivesTruncationAndFlippedBytes) {
  const TemporaryDirectory directory;
  const std::vector<float> values{1, 2, 3, 4};
  const auto good = encode_tensors(
      {view_of("first", DType::kF32, {4}, values), view_of("second", DType::kF32, {2, 2}, values)});
  const auto open = [&](std::span<const std::byte> bytes) {
    const auto file = posix_file_system().create(directory / "file");
    file->append(bytes);
    file->close();
    std::size_t sum = 0;
    const TensorFile opened(directory / "file");
    for (const TensorView& view : opened.tensors()) {
      for (const std::byte each : view.bytes) sum += static_cast<std::size_t>(each);
    }
    return sum;
  };
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_THROW(open(std::span(good).first(size)), DataError) << "truncated to " << size;
  }
  Stream random(1, Purpose::kTest, 0);
  for (int i = 0; i < 2000; ++i) {
    auto bytes = good;
    bytes[random.below(bytes.size())] ^= static_cast<std::byte>(1 + random.below(255));
    try {
      open(bytes);
    } catch (const DataError&) {
      // Refusing is as good as reading: what counts is that nothing else happens.
    }
  }
}

}  // namespace
}  // namespace lacuna
