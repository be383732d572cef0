#include "base/files/tensor_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>
#include <numeric>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text/parse_json.h"

namespace lacuna {
namespace {

static_assert(std::endian::native == std::endian::little, "data is mapped, not converted");

constexpr std::uint64_t kLengthBytes = 8;
// The limit of the reference implementation: a damaged length must not make us parse gigabytes.
constexpr std::uint64_t kLargestHeader = 100'000'000;

struct TypeRow {
  DType type;
  const char* name;
  std::size_t bytes;
};
constexpr std::array<TypeRow, 9> kTypes{{{DType::kF64, "F64", 8},
                                         {DType::kF32, "F32", 4},
                                         {DType::kF16, "F16", 2},
                                         {DType::kBF16, "BF16", 2},
                                         {DType::kI64, "I64", 8},
                                         {DType::kI32, "I32", 4},
                                         {DType::kI16, "I16", 2},
                                         {DType::kU8, "U8", 1},
                                         {DType::kBool, "BOOL", 1}}};

const TypeRow& row_of(DType type) {
  return *std::find_if(kTypes.begin(), kTypes.end(),
                       [&](const TypeRow& row) { return row.type == type; });
}

[[noreturn]] void damaged(const Path& path, const std::string& reason) {
  throw_error<DataError>(
      "{}: not a valid safetensors file: {}. Write the file again, or use another copy.",
      path.string(), reason);
}

DType parse_type(const Path& path, const std::string& tensor, const Json& entry) {
  const std::string name = entry.at("dtype").get<std::string>();
  const auto row = std::find_if(kTypes.begin(), kTypes.end(),
                                [&](const TypeRow& each) { return name == each.name; });
  if (row == kTypes.end()) {
    std::vector<const char*> known;
    for (const TypeRow& each : kTypes) known.push_back(each.name);
    throw_error<DataError>(
        "{}: tensor {} has type {}, which Lacuna does not read. Convert it to {}.", path.string(),
        tensor, name, fmt::join(known, ", "));
  }
  return row->type;
}

// Elements times bytes per element; nullopt-like maximum on overflow, which no file can match.
std::uint64_t byte_count(const std::vector<std::int64_t>& shape, DType type) {
  std::uint64_t bytes = size_of(type);
  for (const std::int64_t extent : shape) {
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(extent), &bytes)) {
      return std::numeric_limits<std::uint64_t>::max();
    }
  }
  return bytes;
}

TensorView parse_tensor(const Path& path, const std::string& name, const Json& entry,
                        std::span<const std::byte> data) {
  TensorView view;
  view.name = name;
  view.type = parse_type(path, name, entry);
  for (const Json& extent : entry.at("shape")) {
    if (!extent.is_number_unsigned()) damaged(path, fmt::format("shape of tensor {}", name));
    view.shape.push_back(extent.get<std::int64_t>());
    if (view.shape.back() < 0) damaged(path, fmt::format("shape of tensor {}", name));
  }
  const Json& offsets = entry.at("data_offsets");
  if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
      !offsets[1].is_number_unsigned()) {
    damaged(path, fmt::format("data_offsets of tensor {}", name));
  }
  const auto begin = offsets[0].get<std::uint64_t>(), end = offsets[1].get<std::uint64_t>();
  if (begin > end || end > data.size()) {
    damaged(path, fmt::format("tensor {} lies at bytes {} to {} of {}; the file may be truncated",
                              name, begin, end, data.size()));
  }
  if (end - begin != byte_count(view.shape, view.type)) {
    damaged(path, fmt::format("tensor {} has {} bytes, which its shape [{}] does not need", name,
                              end - begin, fmt::join(view.shape, ", ")));
  }
  view.bytes = data.subspan(begin, end - begin);
  return view;
}

}  // namespace

std::size_t size_of(DType type) { return row_of(type).bytes; }

const char* safetensors_name(DType type) { return row_of(type).name; }

struct TensorFile::Mapping {
  void* address = MAP_FAILED;
  std::size_t size = 0;
  std::vector<TensorView> tensors;
  std::map<std::string, std::string> metadata;

  ~Mapping() {
    if (address != MAP_FAILED) ::munmap(address, size);
  }

  std::span<const std::byte> map(const Path& path);
  void parse(const Path& path, std::span<const std::byte> file);
};

std::span<const std::byte> TensorFile::Mapping::map(const Path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (descriptor >= 0 && ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) {
    size = static_cast<std::size_t>(status.st_size);
    if (size > 0) address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  }
  const int code = descriptor >= 0 && !S_ISREG(status.st_mode) ? EINVAL : errno;
  if (descriptor >= 0) ::close(descriptor);
  if (size < kLengthBytes) {
    if (descriptor >= 0 && S_ISREG(status.st_mode)) damaged(path, "it is shorter than 8 bytes");
    throw_error<DataError>("{}: cannot be opened: {}. Check the path.", path.string(),
                           std::strerror(code));
  }
  if (address == MAP_FAILED) {
    throw_error<DataError>("{}: cannot be mapped: {}.", path.string(), std::strerror(code));
  }
  return {static_cast<const std::byte*>(address), size};
}

void TensorFile::Mapping::parse(const Path& path, std::span<const std::byte> file) {
  // A length can begin like a zip or a pickle, but what follows it here is a brace.
  const std::string_view start(reinterpret_cast<const char*>(file.data()), kLengthBytes);
  const bool braced = file.size() > kLengthBytes && file[kLengthBytes] == std::byte{'{'};
  if (!braced &&
      (start.starts_with("PK\x03\x04") || (start[0] == '\x80' && start[1] >= 2 && start[1] <= 5))) {
    throw_error<DataError>(
        "{}: a PyTorch checkpoint (a zip or pickle, as torch.save writes it), not safetensors. "
        "Convert it once in Python: import torch; from safetensors.torch import save_file; "
        "save_file({{k: v.contiguous() for k, v in torch.load(\"{}\", map_location=\"cpu\", "
        "weights_only=True).items()}}, \"weights.safetensors\"). Where the weights lie under a "
        "key, "
        "such as \"state_dict\", take that.",
        path.string(), path.filename().string());
  }
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file.data(), kLengthBytes);
  if (header_bytes > kLargestHeader || header_bytes > file.size() - kLengthBytes) {
    damaged(path, fmt::format("its header should have {} bytes, the file has {}", header_bytes,
                              file.size()));
  }
  const auto header = file.subspan(kLengthBytes, header_bytes);
  const auto data = file.subspan(kLengthBytes + header_bytes);
  const auto* text = reinterpret_cast<const char*>(header.data());
  const Json parsed = parse_json_line({text, header.size()});
  if (!parsed.is_object()) damaged(path, "its header is not a JSON object");
  try {
    for (const auto& [name, entry] : parsed.items()) {
      if (name == "__metadata__") {
        metadata = entry.get<std::map<std::string, std::string>>();
      } else {
        tensors.push_back(parse_tensor(path, name, entry, data));
      }
    }
  } catch (const Json::exception& error) {
    damaged(path, error.what());
  }
  std::sort(tensors.begin(), tensors.end(), [](const TensorView& a, const TensorView& b) {
    return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
  });
  // The format forbids holes and overlaps, so a header that lost an entry does not pass.
  const std::byte* expected = data.data();
  for (const TensorView& view : tensors) {
    if (view.bytes.data() != expected) {
      damaged(path,
              fmt::format("tensor {} overlaps another, or leaves a hole before it", view.name));
    }
    expected += view.bytes.size();
  }
  if (expected != data.data() + data.size()) damaged(path, "bytes follow the last tensor");
}

TensorFile::TensorFile(const Path& path) : mapping_(std::make_unique<Mapping>()) {
  mapping_->parse(path, mapping_->map(path));
}
TensorFile::~TensorFile() = default;
TensorFile::TensorFile(TensorFile&&) noexcept = default;

const std::vector<TensorView>& TensorFile::tensors() const { return mapping_->tensors; }

const TensorView* TensorFile::find(const std::string& name) const {
  for (const TensorView& view : mapping_->tensors) {
    if (view.name == name) return &view;
  }
  return nullptr;
}

const std::map<std::string, std::string>& TensorFile::metadata() const {
  return mapping_->metadata;
}

std::vector<std::byte> encode_tensors(const std::vector<TensorView>& tensors,
                                      const std::map<std::string, std::string>& metadata) {
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return size_of(tensors[a].type) > size_of(tensors[b].type);
  });
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const std::size_t index : order) {
    const TensorView& view = tensors[index];
    if (view.bytes.size() != byte_count(view.shape, view.type) || view.name == "__metadata__" ||
        header.contains(view.name)) {
      throw_error<Error>("tensor {}: repeated name, or bytes that do not fit its shape", view.name);
    }
    header[view.name] = {{"dtype", safetensors_name(view.type)},
                         {"shape", view.shape},
                         {"data_offsets", {offset, offset + view.bytes.size()}}};
    offset += view.bytes.size();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data starts at a multiple of 8
  const std::uint64_t header_bytes = text.size();
  std::vector<std::byte> file(kLengthBytes + header_bytes + offset);
  std::memcpy(file.data(), &header_bytes, kLengthBytes);
  std::memcpy(file.data() + kLengthBytes, text.data(), text.size());
  std::byte* out = file.data() + kLengthBytes + text.size();
  for (const std::size_t index : order) {
    out = std::copy(tensors[index].bytes.begin(), tensors[index].bytes.end(), out);
  }
  return file;
}

}  // namespace lacuna
