#include "tests/device/pretend_memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <utility>

#include <ATen/CPUGeneratorImpl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace lacuna::pretend {
namespace {

constexpr std::size_t kRoom = std::size_t{48} << 30;  // addresses; pages exist once written
constexpr std::size_t kPoisoned = 4096;

std::size_t distance(const std::byte* from, const std::byte* to) {
  return static_cast<std::size_t>(to - from);
}

// Blocks are never given back to the system; one of a size is used again for that size.
class Memory {
 public:
  Memory() {
    const int file = ::memfd_create("pretend-device", MFD_CLOEXEC);
    TORCH_CHECK(file >= 0 && ::ftruncate(file, kRoom) == 0, "no memory file");
    device_ = map(file, PROT_NONE, MAP_SHARED);
    host_ = map(file, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE);
    ::close(file);
  }

  bool owns(const void* address) const {
    const auto* at = static_cast<const std::byte*>(address);
    return at >= device_ && at < device_ + kRoom;
  }
  void* host_view(const void* address) const {
    return address ? host_ + distance(device_, static_cast<const std::byte*>(address)) : nullptr;
  }

  void* take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    const std::size_t size = rounded(bytes);
    std::vector<std::size_t>& free = free_[size];
    std::size_t offset = end_;
    if (free.empty()) {
      end_ += size;
      TORCH_CHECK(end_ <= kRoom, "the pretend device is full");
    } else {
      offset = free.back();
      free.pop_back();
    }
    sizes_[offset] = size;
    // What a kernel does not write must not look like a number.
    std::memset(host_ + offset, 0xFF, std::min(size, kPoisoned));
    Counts& count = figures();
    count.bytes_now += static_cast<std::int64_t>(size);
    count.bytes_peak = std::max(count.bytes_peak, count.bytes_now);
    return device_ + offset;
  }

  void give(void* block) {
    const std::lock_guard lock(mutex_);
    const std::size_t offset = distance(device_, static_cast<std::byte*>(block));
    const std::size_t size = sizes_.at(offset);
    free_[size].push_back(offset);
    figures().bytes_now -= static_cast<std::int64_t>(size);
  }

 private:
  static std::byte* map(int file, int protection, int flags) {
    void* at = ::mmap(nullptr, kRoom, protection, flags, file, 0);
    TORCH_CHECK(at != MAP_FAILED, "no room for the pretend device");
    return static_cast<std::byte*>(at);
  }
  // As CUDA's caching allocator.
  static std::size_t rounded(std::size_t bytes) {
    const std::size_t step = bytes > (1U << 20) ? (2U << 20) : 512;
    return std::max<std::size_t>(512, (bytes + step - 1) / step * step);
  }

  std::mutex mutex_;
  std::byte *device_ = nullptr, *host_ = nullptr;
  std::size_t end_ = 0;
  std::unordered_map<std::size_t, std::vector<std::size_t>> free_;  // by size
  std::unordered_map<std::size_t, std::size_t> sizes_;              // by offset
};

// Tensors in static variables are freed after these would be.
Memory& memory() {
  static Memory* all = new Memory;
  return *all;
}

struct DeviceAllocator final : c10::Allocator {
  static void release(void* block) {
    if (block) memory().give(block);
  }
  c10::DataPtr allocate(std::size_t bytes) override {
    void* block = bytes ? memory().take(bytes) : nullptr;
    return {block, block, &release, kDevice};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    std::memcpy(memory().host_view(to), memory().host_view(from), bytes);
  }
};

// Page-locked memory of the host: ordinary memory that is remembered.
struct PinnedBlocks {
  std::mutex mutex;
  std::map<std::uintptr_t, std::size_t> sizes;
};
PinnedBlocks& pinned() {
  static PinnedBlocks* all = new PinnedBlocks;
  return *all;
}

struct PinnedAllocator final : c10::Allocator {
  static void release(void* block) {
    {
      const std::lock_guard lock(pinned().mutex);
      pinned().sizes.erase(reinterpret_cast<std::uintptr_t>(block));
    }
    std::free(block);
  }
  c10::DataPtr allocate(std::size_t bytes) override {
    void* block = std::aligned_alloc(64, (bytes + 127) / 64 * 64);
    const std::lock_guard lock(pinned().mutex);
    pinned().sizes[reinterpret_cast<std::uintptr_t>(block)] = std::max<std::size_t>(1, bytes);
    return {block, block, &release, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    std::memcpy(to, from, bytes);
  }
};

struct Flights {
  std::mutex mutex;
  std::vector<std::pair<at::Tensor, std::uint64_t>> sources;  // with what they summed up to
};
Flights& flights() {
  static Flights* all = new Flights;
  return *all;
}

// FNV-1a over at most 65536 of the bytes.
std::uint64_t checksum(const at::Tensor& host) {
  const auto* bytes = static_cast<const unsigned char*>(host.storage().data());
  const std::size_t size = host.storage().nbytes(), step = std::max<std::size_t>(1, size / 65536);
  std::uint64_t sum = 1469598103934665603ULL;
  for (std::size_t i = 0; i < size; i += step) sum = (sum ^ bytes[i]) * 1099511628211ULL;
  return sum;
}

struct Recording {
  std::mutex mutex;
  bool on = false;
  std::vector<std::string> names;
};
Recording& recording() {
  static Recording* all = new Recording;
  return *all;
}

// Draws what a host's generator with the same seed draws.
class Generator final : public c10::GeneratorImpl {
 public:
  Generator()
      : GeneratorImpl(kDevice, c10::DispatchKeySet(c10::DispatchKey::PrivateUse1)),
        inner_(at::make_generator<at::CPUGeneratorImpl>(c10::default_rng_seed_val)) {}
  static c10::DeviceType device_type() { return kDevice.type(); }
  at::Generator inner() const { return inner_; }

  void set_current_seed(std::uint64_t seed) override { inner_.set_current_seed(seed); }
  void set_offset(std::uint64_t offset) override { inner_.set_offset(offset); }
  std::uint64_t get_offset() const override { return 0; }
  std::uint64_t current_seed() const override { return inner_.current_seed(); }
  std::uint64_t seed() override { return inner_.seed(); }
  void set_state(const c10::TensorImpl&) override { TORCH_CHECK(false, "not imitated"); }
  c10::intrusive_ptr<c10::TensorImpl> get_state() const override {
    return inner_.get_state().getIntrusivePtr();
  }

 private:
  Generator* clone_impl() const override {
    auto* copy = new Generator;
    copy->inner_ = inner_.clone();
    return copy;
  }
  mutable at::Generator inner_;
};

}  // namespace

Counts& figures() {
  static Counts* all = new Counts;
  return *all;
}

const Counts& counts() { return figures(); }

void reset() {
  const std::int64_t now = figures().bytes_now;
  figures() = {};
  figures().bytes_now = figures().bytes_peak = now;
  const std::lock_guard lock(recording().mutex);
  recording().names.clear();
}

void launched(const std::string& name) {
  ++figures().launches;
  ++figures().by_operator[name];
  const std::lock_guard lock(recording().mutex);
  if (recording().on) recording().names.push_back(name);
}

void not_launched(const std::string& name) {
  --figures().launches;
  --figures().by_operator[name];
  const std::lock_guard lock(recording().mutex);
  if (recording().on && !recording().names.empty()) recording().names.pop_back();
}

void record(bool on) {
  const std::lock_guard lock(recording().mutex);
  recording().on = on;
  recording().names.clear();
}

const std::vector<std::string>& recorded() { return recording().names; }

void wait(const std::string& reason) {
  ++figures().waits;
  ++figures().waits_by_reason[reason];
  check_in_flight();
}

void in_flight(const at::Tensor& source) {
  const std::lock_guard lock(flights().mutex);
  flights().sources.emplace_back(source, checksum(source));
}

void check_in_flight() {
  const std::lock_guard lock(flights().mutex);
  for (const auto& [source, sum] : std::exchange(flights().sources, {})) {
    TORCH_CHECK(checksum(source) == sum,
                "host memory was changed while a copy from it to the device could be under way");
  }
}

c10::Allocator& device_allocator() {
  static DeviceAllocator* all = new DeviceAllocator;
  return *all;
}

c10::Allocator& pinned_allocator() {
  static PinnedAllocator* all = new PinnedAllocator;
  return *all;
}

bool is_pinned(const void* address) {
  const std::lock_guard lock(pinned().mutex);
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  auto after = pinned().sizes.upper_bound(at);
  if (after == pinned().sizes.begin()) return false;
  --after;
  return at < after->first + after->second;
}

bool owns(const void* address) { return memory().owns(address); }

void* host_view(const void* address) { return memory().host_view(address); }

const at::Generator& default_generator() {
  static at::Generator* all = new at::Generator(new_generator());
  return *all;
}

at::Generator new_generator() { return at::make_generator<Generator>(); }

at::Generator inner_generator(const at::Generator& generator) {
  return generator.get<Generator>()->inner();
}

}  // namespace lacuna::pretend
