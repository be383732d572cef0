#include "methods/exchange/fill.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

namespace lacuna::methods {
namespace {

class Formula {
 public:
  Formula(const std::string& name, std::uint64_t seed) : hash_(14695981039346656037ull) {
    for (const unsigned char byte : fmt::format("{}/{}", seed, name)) {
      hash_ = (hash_ ^ byte) * 1099511628211ull;
    }
  }

  double at(std::uint64_t index) const {  // in [-1, 1)
    std::uint64_t z = hash_ + (index + 1) * 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    z = z ^ (z >> 31);
    return static_cast<double>(z >> 11) * 0x1p-53 * 2 - 1;
  }

 private:
  std::uint64_t hash_;
};

template <typename Function>
at::Tensor generate(at::IntArrayRef shape, const Formula& formula, const Function& value) {
  at::Tensor tensor = at::empty(shape, at::kFloat);
  float* out = tensor.mutable_data_ptr<float>();
  at::parallel_for(0, tensor.numel(), /*grain_size=*/1 << 16, [&](auto begin, auto end) {
    for (auto i = begin; i < end; ++i) out[i] = static_cast<float>(value(formula.at(i)));
  });
  return tensor;
}

}  // namespace

at::Tensor fill(const std::string& name, at::IntArrayRef shape, std::uint64_t seed) {
  const Formula formula(name, seed);
  const auto make = [&](const auto& value) { return generate(shape, formula, value); };
  if (name == "input") return fill_input(name, shape, seed);
  if (name.ends_with("running_mean")) return make([](double u) { return 0.1 * u; });
  if (name.ends_with("running_var")) return make([](double u) { return 1 + 0.2 * std::abs(u); });
  if (name.ends_with("num_batches_tracked")) return at::zeros(shape, at::kFloat);
  if (shape.size() >= 2) {
    const double bound = std::sqrt(6 / static_cast<double>(c10::multiply_integers(shape.slice(1))));
    return make([bound](double u) { return u * bound; });
  }
  if (name.ends_with("weight")) return make([](double u) { return 1 + 0.1 * u; });
  return make([](double u) { return 0.1 * u; });
}

at::Tensor fill_input(const std::string& name, at::IntArrayRef shape, std::uint64_t seed) {
  return generate(shape, Formula(name, seed), [](double u) { return u; });
}

at::Tensor fill_label(at::IntArrayRef shape, std::uint64_t seed, int classes) {
  const Formula formula("label", seed);
  constexpr std::int64_t kBlock = 4;
  const auto blocks = [&](int axis) { return (shape[axis] + kBlock - 1) / kBlock; };
  at::Tensor label = at::empty(shape, at::kByte);
  std::uint8_t* out = label.mutable_data_ptr<std::uint8_t>();
  for (std::int64_t n = 0; n < shape[0]; ++n) {
    for (std::int64_t d = 0; d < shape[1]; ++d) {
      for (std::int64_t h = 0; h < shape[2]; ++h) {
        const std::int64_t row =
            ((n * blocks(1) + d / kBlock) * blocks(2) + h / kBlock) * blocks(3);
        for (std::int64_t w = 0; w < shape[3]; ++w) {
          const double u = formula.at(row + w / kBlock);
          const int value = static_cast<int>(std::floor((u + 1) / 2 * classes));
          *out++ = static_cast<std::uint8_t>(std::min(value, classes - 1));
        }
      }
    }
  }
  return label;
}

}  // namespace lacuna::methods
