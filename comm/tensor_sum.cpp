#include "comm/tensor_sum.h"

namespace lacuna::comm {

std::unique_ptr<Operation> sum_tensor(Communicator& ranks, const at::Tensor& tensor) {
  const auto count = static_cast<std::size_t>(tensor.numel());
  const bool wide = tensor.scalar_type() == at::kFloat;
  if (!tensor.is_cpu()) {
    return ranks.sum_on_device(
        {tensor.data_ptr(), count, wide ? ElementType::kFloat : ElementType::kBFloat16});
  }
  if (wide) return ranks.sum({tensor.data_ptr<float>(), count});
  return ranks.sum_bf16({reinterpret_cast<std::uint16_t*>(tensor.data_ptr()), count});
}

}  // namespace lacuna::comm
