// Room for large vectors on huge pages where the system offers them on request (madvise): patches
// are written row by row all over tens of megabytes, and with pages of 4 KiB the processor spends
// more time on address translation than on the voxels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <sys/mman.h>

namespace lacuna::data {

// As resize(). Advice only: without huge pages nothing but speed changes.
template <typename T>
void resize_on_huge_pages(std::vector<T>& values, std::size_t count) {
  if (count > values.capacity()) {
    values.clear();
    values.shrink_to_fit();  // the old content is not wanted, so it need not be copied
    values.reserve(count);
    constexpr std::uintptr_t kPage = 4096;
    const auto begin = reinterpret_cast<std::uintptr_t>(values.data());
    const std::uintptr_t first = (begin + kPage - 1) / kPage * kPage;
    const std::uintptr_t last = (begin + count * sizeof(T)) / kPage * kPage;
    if (last > first) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
  }
  values.resize(count);
}

}  // namespace lacuna::data
