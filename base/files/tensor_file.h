// safetensors files (https://huggingface.co/docs/safetensors): an 8-byte little-endian header
// length, a JSON header, raw little-endian data. Free of torch, so that every layer can use it.
//
// Reading maps the file; views stay valid while the TensorFile lives. Immutable, thread-safe.
// Throws DataError on anything that is not a valid file (offsets are checked against the size).
// Data that encode_tensors() wrote is aligned to its element size; other writers' need not be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/files/file_system.h"

namespace lacuna {

enum class DType { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kU8, kBool };

std::size_t size_of(DType type);           // bytes per element
const char* safetensors_name(DType type);  // "F32"

struct TensorView {
  std::string name;
  DType type = DType::kF32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
};

class TensorFile {
 public:
  explicit TensorFile(const Path& path);
  ~TensorFile();
  TensorFile(TensorFile&&) noexcept;

  const std::vector<TensorView>& tensors() const;         // in the order of their data
  const TensorView* find(const std::string& name) const;  // nullptr if absent
  const std::map<std::string, std::string>& metadata() const;

 private:
  struct Mapping;
  std::unique_ptr<Mapping> mapping_;
};

// Serialises; the caller writes the bytes (durably, or through a checkpoint). Data is ordered by
// element size, large first, and then as given. Throws Error on a repeated name or a wrong size.
std::vector<std::byte> encode_tensors(const std::vector<TensorView>& tensors,
                                      const std::map<std::string, std::string>& metadata = {});

}  // namespace lacuna
