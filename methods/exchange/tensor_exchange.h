// Tensors between torch and safetensors files, and a method's weights under the names of the
// published state_dict. Thread-safety: none beyond that of the method.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "base/files/file_system.h"
#include "base/files/tensor_file.h"
#include "methods/method.h"

namespace lacuna::methods {

// A copy on the CPU. Throws DataError naming file and tensor when it is not there.
at::Tensor read_tensor(const TensorFile& file, const Path& path, const std::string& name);

// A safetensors file of these tensors (moved to the CPU, made contiguous), written durably.
void write_tensors(const Path& path,
                   const std::vector<std::pair<std::string, at::Tensor>>& tensors);

struct ImportReport {
  std::vector<std::string> ignored;  // in the file, without counterpart, as the method declares
  std::int64_t loaded = 0;           // tensors
};

// Copies published weights into the method; floating types are converted. Throws DataError listing
// what is missing or unexpected, or a shape that differs; the method is then unchanged.
ImportReport import_weights(Method& method, const Path& path);

}  // namespace lacuna::methods
