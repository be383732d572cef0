#include "comm/all_reduce_benchmark.h"

#include <algorithm>
#include <vector>

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros_like.h>

#include "base/process/clock.h"
#include "comm/tensor_sum.h"

namespace lacuna::comm {
namespace {

// Element i gets 1 + i mod 7 from one rank and 8 from its neighbour: a rank that is left out or
// counted twice shows, and the sums stay exact in bfloat16 for any number of ranks.
float contribution(std::int64_t i, int rank, int ranks) {
  const std::int64_t turn = (i + rank) % ranks;
  return (turn == 0 ? static_cast<float>(1 + i % 7) : 0.0f) + (turn == 1 % ranks ? 8.0f : 0.0f);
}

float expected(std::int64_t i) { return static_cast<float>(9 + i % 7); }

void fill(const at::Tensor& buffer, int rank, int ranks) {
  const at::Tensor host = at::empty({buffer.numel()}, at::kFloat);
  auto* values = host.data_ptr<float>();
  for (std::int64_t i = 0; i < host.numel(); ++i) values[i] = contribution(i, rank, ranks);
  buffer.copy_(host);
}

std::int64_t count_wrong(const at::Tensor& buffer) {
  const at::Tensor host = buffer.to(at::kCPU, at::kFloat);
  const auto* values = host.data_ptr<float>();
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < host.numel(); ++i) wrong += values[i] != expected(i);
  return wrong;
}

}  // namespace

CommResult time_all_reduce(Communicator& ranks, std::size_t bytes,
                           const AllReduceSettings& settings, AllReduceTiming& timing) {
  const std::size_t width = settings.bf16 ? 2 : 4;
  timing.count = std::max<std::size_t>(bytes / width, 1);
  timing.bytes = timing.count * width;
  at::Tensor buffer = at::empty(
      {static_cast<std::int64_t>(timing.count)},
      at::TensorOptions(settings.bf16 ? at::kBFloat16 : at::kFloat)
          .device(settings.gpu < 0
                      ? at::Device(at::kCPU)
                      : at::Device(at::kCUDA, static_cast<at::DeviceIndex>(settings.gpu))));
  fill(buffer, ranks.rank(), ranks.size());
  CommResult result = sum_tensor(ranks, buffer)->wait(settings.deadline);
  if (!result.ok()) return result;
  const std::int64_t wrong = count_wrong(buffer);

  buffer.zero_();  // sums of zeros stay finite however often they are taken
  std::vector<double> seconds;
  for (int i = 0; i < settings.warm_up + settings.iterations; ++i) {
    if (result = ranks.barrier(settings.deadline); !result.ok()) return result;
    const double start = steady_clock().seconds();
    if (result = sum_tensor(ranks, buffer)->wait(settings.deadline); !result.ok()) return result;
    if (i >= settings.warm_up) seconds.push_back(steady_clock().seconds() - start);
  }
  std::sort(seconds.begin(), seconds.end());

  // The slowest rank's median, and the worst count of wrong elements.
  std::int64_t figures[] = {static_cast<std::int64_t>(1e9 * seconds[seconds.size() / 2]), wrong};
  result = ranks.maximum(figures)->wait(settings.deadline);
  timing.seconds = 1e-9 * static_cast<double>(std::max<std::int64_t>(figures[0], 1));
  timing.wrong = figures[1];
  return result;
}

}  // namespace lacuna::comm
