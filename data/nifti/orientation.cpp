#include "data/nifti/orientation.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "data/types/axis_order.h"

namespace lacuna::data {
namespace {

constexpr const char* kDirections[3] = {"LR", "PA", "IS"};  // along -x and +x, -y and +y, -z and +z

struct Axis {
  std::size_t world = 0;
  bool positive = true;
};

std::array<Axis, 3> parse(const std::string& codes) {
  std::array<Axis, 3> axes;
  std::array<bool, 3> seen{};
  bool valid = codes.size() == 3;
  for (std::size_t a = 0; valid && a < 3; ++a) {
    bool found = false;
    for (std::size_t world = 0; world < 3; ++world) {
      for (const bool positive : {false, true}) {
        if (codes[a] != kDirections[world][positive ? 1 : 0]) continue;
        found = !seen[world];
        seen[world] = true;
        axes[a] = {world, positive};
      }
    }
    valid = found;
  }
  if (!valid) {
    throw_error<ConfigError>(
        "\"{}\" is no orientation: three letters, one of L or R, one of P or A, one of S or I",
        codes);
  }
  return axes;
}

}  // namespace

std::string axis_codes(const Affine& affine) {
  // Direction cosines: how far each axis goes along each direction of the world.
  std::array<std::array<double, 3>, 3> cosine{};
  for (std::size_t a = 0; a < 3; ++a) {
    const double length = std::hypot(affine[0][a], affine[1][a], affine[2][a]);
    for (std::size_t world = 0; world < 3; ++world) {
      cosine[a][world] = length > 0 ? affine[world][a] / length : 0;
    }
  }
  std::array<std::size_t, 3> order{0, 1, 2}, best = order;
  double most = -1;
  do {
    const double sum = std::abs(cosine[0][order[0]]) + std::abs(cosine[1][order[1]]) +
                       std::abs(cosine[2][order[2]]);
    if (sum > most + 1e-9) {
      most = sum;
      best = order;
    }
  } while (std::next_permutation(order.begin(), order.end()));
  std::string codes;
  for (std::size_t a = 0; a < 3; ++a) {
    codes += kDirections[best[a]][cosine[a][best[a]] < 0 ? 0 : 1];
  }
  return codes;
}

AxisTurn AxisTurn::inverse() const {
  AxisTurn back;
  for (std::size_t a = 0; a < 3; ++a) {
    back.from[from[a]] = a;
    back.flip[from[a]] = flip[a];
  }
  return back;
}

AxisTurn axis_turn(const std::string& from, const std::string& to) {
  const auto source = parse(from), target = parse(to);
  AxisTurn turn;
  for (std::size_t a = 0; a < 3; ++a) {
    for (std::size_t b = 0; b < 3; ++b) {
      if (source[b].world != target[a].world) continue;
      turn.from[a] = b;
      turn.flip[a] = source[b].positive != target[a].positive;
    }
  }
  return turn;
}

Affine turned(const Affine& affine, const std::array<std::int64_t, 3>& size, const AxisTurn& turn) {
  Affine result = affine;
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t a = 0; a < 3; ++a) {
      const double step = affine[row][turn.from[a]];
      result[row][a] = turn.flip[a] ? -step : step;
      if (turn.flip[a]) result[row][3] += step * static_cast<double>(size[turn.from[a]] - 1);
    }
  }
  return result;
}

template <typename T>
std::vector<T> turned(std::vector<T> volume, const std::array<std::int64_t, 3>& size,
                      const AxisTurn& turn) {
  if (turn.identity()) return volume;
  // Where a step along i, j, k of the original leads in D x H x W order.
  const std::array<std::int64_t, 3> step = {size[1], 1, size[0] * size[1]};
  const std::array<std::int64_t, 3> extent = turned(size, turn);
  std::int64_t start = 0;
  std::array<std::int64_t, 3> move{};
  for (std::size_t a = 0; a < 3; ++a) {
    const std::int64_t along = step[turn.from[a]];
    move[a] = turn.flip[a] ? -along : along;
    if (turn.flip[a]) start += along * (extent[a] - 1);
  }
  std::vector<T> result(volume.size());
  T* to = result.data();
  for (std::int64_t k = 0; k < extent[2]; ++k) {
    for (std::int64_t i = 0; i < extent[0]; ++i) {
      const T* from = volume.data() + start + k * move[2] + i * move[0];
      for (std::int64_t j = 0; j < extent[1]; ++j) *to++ = from[j * move[1]];
    }
  }
  return result;
}

template std::vector<float> turned(std::vector<float>, const std::array<std::int64_t, 3>&,
                                   const AxisTurn&);
template std::vector<std::int16_t> turned(std::vector<std::int16_t>,
                                          const std::array<std::int64_t, 3>&, const AxisTurn&);
template std::vector<std::uint8_t> turned(std::vector<std::uint8_t>,
                                          const std::array<std::int64_t, 3>&, const AxisTurn&);

}  // namespace lacuna::data
