#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "core/error.h"

namespace espalier {

inline constexpr size_t kAlignment = 64;  // one cache line, one AVX-512 vector

inline constexpr size_t RoundUp(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Large memory is read with fewer misses of the TLB in pages of 2 MiB, where the system has them to spare.
inline void PreferHugePages([[maybe_unused]] void* memory, [[maybe_unused]] size_t bytes) {
#if defined(__linux__)
  constexpr size_t kHugePage = size_t{2} << 20;
  const size_t skip = (kHugePage - reinterpret_cast<uintptr_t>(memory) % kHugePage) % kHugePage;
  if (bytes < skip + kHugePage) return;
  madvise(static_cast<uint8_t*>(memory) + skip, (bytes - skip) / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
}

// Owns zero-initialised, 64-byte aligned memory, with 64 bytes of slack after the end for vector over-reads.
template <typename T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t count) : size_(count) {
    if (count == 0) return;
    if (count > (SIZE_MAX - 2 * kAlignment) / sizeof(T))
      throw Error(ErrorCode::kMemory, "Expected a size that fits");
    const size_t bytes = count * sizeof(T) + 2 * kAlignment;
    // calloc, not memset: pages that are never written to never take memory.
    memory_ = std::calloc(bytes, 1);
    if (memory_ == nullptr) {
      throw Error(ErrorCode::kMemory,
                  "Expected " + std::to_string(bytes) + " bytes of free memory, got none");
    }
    PreferHugePages(memory_, bytes);
    const size_t misaligned = reinterpret_cast<uintptr_t>(memory_) % kAlignment;
    const size_t skip = misaligned == 0 ? 0 : kAlignment - misaligned;
    data_ = reinterpret_cast<T*>(static_cast<uint8_t*>(memory_) + skip);
  }
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~AlignedBuffer() { std::free(memory_); }

  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }

 private:
  void* memory_ = nullptr;
  T* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace espalier
