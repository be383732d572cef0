// For commands that fill and free the same large buffers over and over: the allocator keeps freed
// memory instead of returning it, so that the kernel need not map and clear it again (a quarter of
// the time of an ingest). For the whole process, so not for commands that go on to train.
#pragma once

#include <malloc.h>

namespace lacuna::app {

inline void reuse_freed_memory() {
  constexpr int kNoLimit = 1 << 30;  // above any buffer of these commands
  mallopt(M_MMAP_THRESHOLD, kNoLimit);
  mallopt(M_TRIM_THRESHOLD, kNoLimit);
}

}  // namespace lacuna::app
