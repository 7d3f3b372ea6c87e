#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/huge_pages.h"
#include "core/sizes.h"

namespace espalier {

inline constexpr size_t kAlignment = 64;  // one cache line, one AVX-512 vector

// Owns zero-initialised, 64-byte aligned memory, with 64 bytes of slack after the end for vector over-reads.
template <typename T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t count) : size_(count) {
    if (count == 0) return;
    if (count > (SIZE_MAX - 2 * kAlignment) / sizeof(T))
      throw Error(ErrorCode::kMemory, "Expected a size that fits");
    // calloc, not memset: pages that are never written to never take memory.
    memory_ = bytes() < kLeastForHugePages ? std::calloc(bytes(), 1) : AllocateInHugePages(bytes());
    if (memory_ == nullptr) {
      throw Error(ErrorCode::kMemory,
                  "Expected " + std::to_string(bytes()) + " bytes of free memory, got none");
    }
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
  ~AlignedBuffer() {
    if (memory_ == nullptr) return;
    if (bytes() < kLeastForHugePages) {
      std::free(memory_);
    } else {
      FreeInHugePages(memory_, bytes());
    }
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }

 private:
  size_t bytes() const { return size_ * sizeof(T) + 2 * kAlignment; }

  void* memory_ = nullptr;
  T* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace espalier
