// Named tensors between memory and safetensors files.
//
// Thread-safety: pure functions of their arguments.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "base/files/file_system.h"

namespace lacuna::worker {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

// Contiguous copies on the host that share nothing with the originals.
NamedTensors copy_to_host(const NamedTensors& tensors);

// The bytes of a safetensors file. The tensors must be contiguous and on the host.
std::vector<std::byte> encode(const NamedTensors& host_tensors);

// Copies a file's values into the tensors of the same names, converting nothing. Throws DataError
// when a name is missing on either side or a shape or type differs.
void load_into(const NamedTensors& tensors, const Path& file);

}  // namespace lacuna::worker
