// The corpus of every target, and a few thousand mutations of it, on each `make test`: what was
// found once stays mended, and no input takes more memory than it can need.
#include <cstdlib>
#include <new>

#include <gtest/gtest.h>
#include <malloc.h>

#include "base/text/log.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/targets.h"

namespace {

// Bytes of C++ objects that are alive, and the most there have been.
std::size_t alive = 0, peak = 0;

void* counted(std::size_t size) {
  void* address = std::malloc(size == 0 ? 1 : size);
  if (address == nullptr) throw std::bad_alloc();
  alive += ::malloc_usable_size(address);
  peak = std::max(peak, alive);
  return address;
}
void uncounted(void* address) noexcept {
  if (address != nullptr) alive -= ::malloc_usable_size(address);
  std::free(address);
}

}  // namespace

// Sanitizers have their own.
#ifndef __SANITIZE_ADDRESS__
void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void operator delete(void* address) noexcept { uncounted(address); }
void operator delete[](void* address) noexcept { uncounted(address); }
void operator delete(void* address, std::size_t) noexcept { uncounted(address); }
void operator delete[](void* address, std::size_t) noexcept { uncounted(address); }
#endif

namespace lacuna::fuzz {
namespace {

// What the honest readers of one byte hold at once: a voxel as file, copy and float; a field of a
// table or a value of JSON as an object of its own, while a vector of them grows; deflate packs
// 1032 to one.
std::size_t honest_need(std::string_view target, std::size_t bytes) {
  constexpr std::size_t kFixed = 1 << 20;  // tables of profiles, buffers of a box, HDF5's caches
  std::size_t each = 64;
  if (target == "nifti_gz" || target == "meta_image") each = 1032 * 4;
  return kFixed + bytes * each;
}

class Corpus : public testing::TestWithParam<Target> {
 protected:
  static std::vector<Input> files() {
    return read_corpus(std::filesystem::path(std::getenv("LACUNA_SOURCE")) / "tests/fuzz/corpus" /
                       GetParam().name);
  }
  static void run(const Input& input, const std::string& what) {
    const std::size_t before = alive;
    peak = alive;
    GetParam().run(input);
    EXPECT_LE(peak - before, 2 * honest_need(GetParam().name, input.size())) << what;
  }
};

TEST_P(Corpus, IsReadOrRefused) {
  if (std::getenv("LACUNA_SOURCE") == nullptr) GTEST_SKIP() << "no LACUNA_SOURCE";
  log::set_level(log::Level::kError);
  std::size_t number = 0;
  for (const Input& input : files()) run(input, "file " + std::to_string(++number));
}

TEST_P(Corpus, MutatedIsReadOrRefused) {
  if (std::getenv("LACUNA_SOURCE") == nullptr) GTEST_SKIP() << "no LACUNA_SOURCE";
  log::set_level(log::Level::kError);
  const auto corpus = files();
  std::mt19937_64 random(20);
  for (int i = 0; i < 2000 && !HasFailure(); ++i) {
    run(mutate(corpus, random), "mutation " + std::to_string(i));
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Corpus, testing::ValuesIn(kTargets),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace lacuna::fuzz
