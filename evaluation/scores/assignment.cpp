#include "evaluation/scores/assignment.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <utility>

namespace lacuna::evaluation {
namespace {

constexpr double kEqual = 1e-12;
// Blocks whose ties would take more elementary steps than this to look for are not searched.
constexpr double kMostTieSteps = 2e7;

// Truths and predictions that are joined by candidates; the weight of no candidate is 0.
struct Block {
  std::vector<int> truths, predictions;     // ascending
  std::vector<std::vector<double>> weight;  // [truth][prediction]

  double at(std::size_t t, std::size_t p) const { return weight[t][p]; }
};

// Largest total weight, by the Hungarian method with potentials (rows: the smaller side).
// partner: of each truth, -1 where the weight is 0.
double solve(const Block& block, std::vector<int>& partner) {
  const bool turned = block.truths.size() > block.predictions.size();
  const std::size_t rows = turned ? block.predictions.size() : block.truths.size();
  const std::size_t columns = turned ? block.truths.size() : block.predictions.size();
  const auto cost = [&](std::size_t r, std::size_t c) {
    return turned ? -block.at(c, r) : -block.at(r, c);
  };
  constexpr double kFar = std::numeric_limits<double>::infinity();
  // Row and column 0 stand for "none"; row_of[c] is the row that holds column c.
  std::vector<double> row_potential(rows + 1), column_potential(columns + 1);
  std::vector<std::size_t> row_of(columns + 1), way(columns + 1);
  for (std::size_t r = 1; r <= rows; ++r) {
    row_of[0] = r;
    std::size_t column = 0;
    std::vector<double> least(columns + 1, kFar);
    std::vector<bool> used(columns + 1);
    do {
      used[column] = true;
      const std::size_t row = row_of[column];
      std::size_t next = 0;
      double step = kFar;
      for (std::size_t c = 1; c <= columns; ++c) {
        if (used[c]) continue;
        const double reduced = cost(row - 1, c - 1) - row_potential[row] - column_potential[c];
        if (reduced < least[c]) {
          least[c] = reduced;
          way[c] = column;
        }
        if (least[c] < step) {
          step = least[c];
          next = c;
        }
      }
      for (std::size_t c = 0; c <= columns; ++c) {
        if (used[c]) {
          row_potential[row_of[c]] += step;
          column_potential[c] -= step;
        } else {
          least[c] -= step;
        }
      }
      column = next;
    } while (row_of[column] != 0);
    while (column != 0) {
      const std::size_t previous = way[column];
      row_of[column] = row_of[previous];
      column = previous;
    }
  }
  partner.assign(block.truths.size(), -1);
  double total = 0;
  for (std::size_t c = 1; c <= columns; ++c) {
    if (row_of[c] == 0) continue;
    const std::size_t t = turned ? c - 1 : row_of[c] - 1, p = turned ? row_of[c] - 1 : c - 1;
    if (block.at(t, p) <= 0) continue;
    partner[t] = static_cast<int>(p);
    total += block.at(t, p);
  }
  return total;
}

bool has_another_optimum(Block block, const std::vector<int>& partner, double best) {
  std::vector<int> other;
  for (std::size_t t = 0; t < partner.size(); ++t) {
    if (partner[t] < 0) continue;
    double& weight = block.weight[t][static_cast<std::size_t>(partner[t])];
    const double kept = std::exchange(weight, 0.0);
    if (solve(block, other) > best - kEqual) return true;
    weight = kept;
  }
  return false;
}

// Fixes the truths one by one on their first partner that leaves the total as it is.
void take_first_optimum(Block block, std::vector<int>& partner, double best) {
  for (std::size_t t = 0; t < block.truths.size(); ++t) {
    for (std::size_t p = 0; p < block.predictions.size(); ++p) {
      if (block.at(t, p) <= 0) continue;
      Block fixed = block;
      for (std::size_t i = 0; i < block.predictions.size(); ++i) {
        if (i != p) fixed.weight[t][i] = 0;
      }
      for (std::size_t i = 0; i < block.truths.size(); ++i) {
        if (i != t) fixed.weight[i][p] = 0;
      }
      std::vector<int> found;
      if (solve(fixed, found) > best - kEqual && found[t] == static_cast<int>(p)) {
        block = fixed;
        partner = found;
        break;
      }
    }
  }
}

std::vector<Block> blocks_of(const std::vector<Candidate>& candidates) {
  std::map<int, std::vector<const Candidate*>> of_truth, of_prediction;
  for (const Candidate& each : candidates) {
    of_truth[each.truth].push_back(&each);
    of_prediction[each.prediction].push_back(&each);
  }
  std::vector<Block> blocks;
  std::set<int> seen;
  for (const auto& [start, unused] : of_truth) {
    if (!seen.insert(start).second) continue;
    std::set<int> truths = {start}, predictions;
    std::vector<int> open = {start};
    while (!open.empty()) {
      const int truth = open.back();
      open.pop_back();
      for (const Candidate* edge : of_truth[truth]) {
        if (!predictions.insert(edge->prediction).second) continue;
        for (const Candidate* back : of_prediction[edge->prediction]) {
          if (!truths.insert(back->truth).second) continue;
          seen.insert(back->truth);
          open.push_back(back->truth);
        }
      }
    }
    Block block{{truths.begin(), truths.end()}, {predictions.begin(), predictions.end()}, {}};
    block.weight.assign(truths.size(), std::vector<double>(predictions.size()));
    const auto place = [](const std::vector<int>& names, int name) {
      return static_cast<std::size_t>(std::lower_bound(names.begin(), names.end(), name) -
                                      names.begin());
    };
    for (const int truth : block.truths) {
      for (const Candidate* edge : of_truth[truth]) {
        block.weight[place(block.truths, truth)][place(block.predictions, edge->prediction)] =
            edge->weight;
      }
    }
    blocks.push_back(std::move(block));
  }
  return blocks;
}

}  // namespace

Assignment assign(int truths, const std::vector<Candidate>& candidates) {
  Assignment result{std::vector<int>(static_cast<std::size_t>(truths), -1), true};
  for (const Block& block : blocks_of(candidates)) {
    std::vector<int> partner;
    const double best = solve(block, partner);
    const auto few = static_cast<double>(std::min(block.truths.size(), block.predictions.size()));
    const auto many = static_cast<double>(std::max(block.truths.size(), block.predictions.size()));
    if (few * few * few * many < kMostTieSteps && has_another_optimum(block, partner, best)) {
      result.unique = false;
      take_first_optimum(block, partner, best);
    }
    for (std::size_t t = 0; t < partner.size(); ++t) {
      if (partner[t] < 0) continue;
      result.partner[static_cast<std::size_t>(block.truths[t])] =
          block.predictions[static_cast<std::size_t>(partner[t])];
    }
  }
  return result;
}

}  // namespace lacuna::evaluation
