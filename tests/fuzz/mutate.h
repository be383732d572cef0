// Mutated inputs where no libFuzzer is: from a few good files, by a seed alone.
//
// Pure function of its arguments and of the generator's state; the same on every machine.
#pragma once

#include <cstddef>
#include <filesystem>
#include <random>
#include <vector>

namespace lacuna::fuzz {

using Input = std::vector<std::byte>;

// The files of a directory, by name. Throws std::runtime_error when there is none.
std::vector<Input> read_corpus(const std::filesystem::path& directory);

// One of the corpus with one to eight changes: bits, bytes, numbers at their limits, pieces taken
// out, doubled, moved or taken from another file, the end cut off.
Input mutate(const std::vector<Input>& corpus, std::mt19937_64& random);

}  // namespace lacuna::fuzz
