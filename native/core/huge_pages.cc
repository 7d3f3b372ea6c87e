#include "core/huge_pages.h"

#include <cstdlib>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <mutex>
#endif

#include "core/sizes.h"

// AddressSanitizer watches the ends of what comes from malloc, and of nothing else.
#if (defined(__unix__) || defined(__APPLE__)) && !defined(__SANITIZE_ADDRESS__)

namespace espalier {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kRegion = size_t{32} << 20;

size_t PageSize() {
  static const auto size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

// Address space in which buffers are put one behind another. What is freed gives its pages back at once; its
// addresses are used again when it was the last buffer, or when the region is empty and unmapped.
class Region {
 public:
  static bool Map(size_t bytes, Region& region) {
    region.mapped_ = bytes + kHugePage;  // room to begin at a huge page
    region.memory_ = static_cast<uint8_t*>(
        mmap(nullptr, region.mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (region.memory_ == MAP_FAILED) return false;
    const size_t misaligned = reinterpret_cast<uintptr_t>(region.memory_) % kHugePage;
    region.begin_ = region.memory_ + (kHugePage - misaligned) % kHugePage;
    region.size_ = bytes;
#if defined(MADV_HUGEPAGE)
    madvise(region.begin_, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
    return true;
  }
  void Unmap() const { munmap(memory_, mapped_); }

  uint8_t* begin() const { return begin_; }
  bool empty() const { return buffers_ == 0; }

  // nullptr when there is no room. `bytes`, here and below, is whole pages.
  uint8_t* Take(size_t bytes) {
    if (size_ - used_ < bytes) return nullptr;
    uint8_t* const memory = begin_ + used_;
    used_ += bytes;
    ++buffers_;
    return memory;
  }
  void Give(uint8_t* memory, size_t bytes) {
    --buffers_;
    if (buffers_ == 0) return;  // the whole of it goes
      // Elsewhere pages may keep what was written to them, so their addresses are not used again.
#if defined(__linux__)
    if (madvise(memory, bytes, MADV_DONTNEED) != 0) return;
    if (memory + bytes == begin_ + used_) used_ -= bytes;
#endif
  }

 private:
  uint8_t* memory_ = nullptr;  // as mapped
  size_t mapped_ = 0;
  uint8_t* begin_ = nullptr;
  size_t size_ = 0;
  size_t used_ = 0;
  size_t buffers_ = 0;
};

class Regions {
 public:
  void* Allocate(size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (newest_ != nullptr) {
      uint8_t* const memory = newest_->Take(bytes);
      if (memory != nullptr) return memory;
    }
    Region region;
    if (!Region::Map(std::max(RoundUp(bytes, kHugePage), kRegion), region) && !Region::Map(bytes, region))
      return nullptr;
    newest_ = &regions_.emplace(region.begin(), region).first->second;
    return newest_->Take(bytes);
  }
  void Free(uint8_t* memory, size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = std::prev(regions_.upper_bound(memory));
    Region& region = found->second;
    region.Give(memory, bytes);
    if (!region.empty()) return;
    if (newest_ == &region) newest_ = nullptr;
    region.Unmap();
    regions_.erase(found);
  }

 private:
  std::mutex mutex_;
  std::map<uint8_t*, Region> regions_;  // by where they begin
  Region* newest_ = nullptr;
};

// Never destroyed: buffers of other static objects may be freed later.
Regions& AllRegions() {
  static auto* const regions = new Regions;
  return *regions;
}

}  // namespace

void* AllocateInHugePages(size_t bytes) { return AllRegions().Allocate(RoundUp(bytes, PageSize())); }

void FreeInHugePages(void* memory, size_t bytes) {
  AllRegions().Free(static_cast<uint8_t*>(memory), RoundUp(bytes, PageSize()));
}

}  // namespace espalier

#else

namespace espalier {

void* AllocateInHugePages(size_t bytes) { return std::calloc(bytes, 1); }

void FreeInHugePages(void* memory, size_t /*bytes*/) { std::free(memory); }

}  // namespace espalier

#endif
