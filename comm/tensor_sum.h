// A tensor as the communicators see it.
#pragma once

#include <memory>

#include <ATen/core/Tensor.h>

#include "comm/communicator.h"

namespace lacuna::comm {

// Sums a contiguous fp32 or bf16 tensor over ranks, in place, wherever it lives. The tensor's
// memory must stay until the operation is done.
std::unique_ptr<Operation> sum_tensor(Communicator& ranks, const at::Tensor& tensor);

}  // namespace lacuna::comm
