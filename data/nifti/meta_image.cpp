#include "data/nifti/meta_image.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace lacuna::data {
namespace {

constexpr std::size_t kLongestHeader = 1 << 16;
constexpr std::int64_t kLargestSide = 32767;  // as in NIfTI-1, so that masks can be written

struct ElementType {
  const char* name;
  NiftiType type;
};
// MET_LONG has four bytes in the format, whatever the machine.
constexpr ElementType kElementTypes[] = {
    {"MET_UCHAR", NiftiType::kUint8},     {"MET_CHAR", NiftiType::kInt8},
    {"MET_SHORT", NiftiType::kInt16},     {"MET_USHORT", NiftiType::kUint16},
    {"MET_INT", NiftiType::kInt32},       {"MET_UINT", NiftiType::kUint32},
    {"MET_LONG", NiftiType::kInt32},      {"MET_ULONG", NiftiType::kUint32},
    {"MET_LONG_LONG", NiftiType::kInt64}, {"MET_ULONG_LONG", NiftiType::kUint64},
    {"MET_FLOAT", NiftiType::kFloat32},   {"MET_DOUBLE", NiftiType::kFloat64}};

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

class MetaFields {
 public:
  MetaFields(std::span<const std::byte> file, const Path& name) : name_(name) {
    const std::string_view text(reinterpret_cast<const char*>(file.data()),
                                std::min(file.size(), kLongestHeader));
    std::size_t at = 0;
    while (at < text.size()) {
      const std::size_t end = text.find('\n', at);
      if (end == std::string_view::npos) break;
      const std::string_view line = text.substr(at, end - at);
      const std::size_t equals = line.find('=');
      at = end + 1;
      if (equals == std::string_view::npos) {
        if (without_blanks(line).empty()) continue;
        break;
      }
      const std::string key(without_blanks(line.substr(0, equals)));
      values_[key] = std::string(without_blanks(line.substr(equals + 1)));
      if (key == "ElementDataFile") {
        end_ = at;
        return;
      }
    }
    refuse("not a MetaImage: its header has no line ElementDataFile");
  }

  [[noreturn]] void refuse(const std::string& reason,
                           const char* remedy =
                               "Write it again with the program that made it, or "
                               "copy it again.") const {
    throw_error<DataError>("{}: {}. {}", name_.string(), reason, remedy);
  }

  std::size_t end() const { return end_; }  // of the header

  std::string text(std::initializer_list<const char*> keys, const std::string& otherwise) const {
    for (const char* key : keys) {
      if (const auto found = values_.find(key); found != values_.end()) return found->second;
    }
    return otherwise;
  }
  bool flag(std::initializer_list<const char*> keys) const {
    const std::string value = text(keys, "False");
    return value == "True" || value == "true" || value == "1";
  }
  // `count` numbers, or none when no such key is there.
  std::vector<double> numbers(std::initializer_list<const char*> keys, std::size_t count) const {
    const std::string list = text(keys, "");
    if (list.empty()) return {};
    std::vector<double> values;
    const char *at = list.data(), *end = at + list.size();
    while (at != end) {
      if (*at == ' ' || *at == '\t') {
        ++at;
        continue;
      }
      double value = 0;
      const auto [stop, error] = std::from_chars(at, end, value);
      if (error != std::errc() || !std::isfinite(value)) break;
      values.push_back(value);
      at = stop;
    }
    if (at != end || values.size() != count) {
      refuse(fmt::format("its header says {} = {}, where {} numbers belong", *keys.begin(), list,
                         count));
    }
    return values;
  }

 private:
  const Path& name_;
  std::map<std::string, std::string> values_;
  std::size_t end_ = 0;
};

void read_placement(const MetaFields& fields, NiftiHeader& header) {
  const auto size = fields.numbers({"DimSize"}, 3);
  auto spacing = fields.numbers({"ElementSpacing", "ElementSize"}, 3);
  auto matrix = fields.numbers({"TransformMatrix", "Rotation", "Orientation"}, 9);
  auto offset = fields.numbers({"Offset", "Position", "Origin"}, 3);
  if (size.empty()) fields.refuse("its header has no DimSize");
  const bool placed = !matrix.empty() || !offset.empty();
  if (spacing.empty()) spacing = {1, 1, 1};
  if (matrix.empty()) matrix = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  if (offset.empty()) offset = {0, 0, 0};
  for (std::size_t a = 0; a < 3; ++a) {
    if (!(size[a] >= 1 && size[a] <= kLargestSide) || size[a] != std::floor(size[a])) {
      fields.refuse(fmt::format("its header says {} voxels along axis {}", size[a], a + 1));
    }
    header.size[a] = static_cast<std::int64_t>(size[a]);
    header.voxel_mm[a] = std::abs(spacing[a]);
    if (!(header.voxel_mm[a] > 0)) {
      fields.refuse(
          fmt::format("its header says a voxel size of {} mm along axis {}", spacing[a], a + 1),
          "Distances in mm need it: set ElementSpacing.");
    }
    // Three numbers of the matrix are the direction of one axis; x and y point the other way.
    for (std::size_t row = 0; row < 3; ++row) {
      const double sign = row < 2 ? -1 : 1;
      header.sform[row][a] = sign * matrix[3 * a + row] * spacing[a];
      header.sform[row][3] = sign * offset[row];
    }
  }
  header.sform_code = placed ? 1 : 0;
}

}  // namespace

bool is_meta_image(const Path& path) {
  std::string end = path.extension().string();
  std::transform(end.begin(), end.end(), end.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return end == ".mha";
}

MetaImage parse_meta_image(std::span<const std::byte> file, const Path& name) {
  const MetaFields fields(file, name);
  MetaImage image;
  NiftiHeader& header = image.header;
  if (fields.text({"ElementDataFile"}, "") != "LOCAL") {
    fields.refuse("its voxels lie in another file (" + fields.text({"ElementDataFile"}, "") + ")",
                  "Convert it to a single .mha or .nii.gz.");
  }
  if (const std::string axes = fields.text({"NDims"}, "3"); axes != "3") {
    fields.refuse("an image of " + axes + " dimensions, expected 3",
                  "Split it into single volumes first.");
  }
  if (const std::string channels = fields.text({"ElementNumberOfChannels"}, "1"); channels != "1") {
    fields.refuse("an image of " + channels + " channels, expected 1",
                  "Split it into single volumes first.");
  }
  if (fields.text({"BinaryData"}, "True") == "False") {
    fields.refuse("its voxels are written as text", "Convert it to a binary .mha or .nii.gz.");
  }
  const std::string kind = fields.text({"ElementType"}, "");
  const auto* type = std::find_if(std::begin(kElementTypes), std::end(kElementTypes),
                                  [&](const ElementType& each) { return each.name == kind; });
  if (type == std::end(kElementTypes)) {
    fields.refuse("values of type \"" + kind + "\"",
                  "Lacuna reads integers of 8 to 64 bits, float and double: convert it.");
  }
  header.type = type->type;
  header.big_endian = fields.flag({"BinaryDataByteOrderMSB", "ElementByteOrderMSB"});
  header.data_offset = fields.end();
  image.compressed = fields.flag({"CompressedData"});
  read_placement(fields, header);
  return image;
}

}  // namespace lacuna::data
