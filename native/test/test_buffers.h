#pragma once

// Buffers that notice a kernel which reads or writes outside its contract.

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace espalier {

// An input whose last element touches a page that cannot be read: reading past the end crashes, in every
// build. The start has no alignment beyond that of T.
template <typename T>
class EdgeBuffer {
 public:
  explicit EdgeBuffer(const std::vector<T>& values) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t bytes = values.size() * sizeof(T);
    const size_t readable = (bytes + page - 1) / page * page;
    mapped_ = readable + page;
    base_ = static_cast<uint8_t*>(
        mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED || mprotect(base_ + readable, page, PROT_NONE) != 0) std::abort();
    data_ = reinterpret_cast<T*>(base_ + readable - bytes);
    if (bytes != 0) std::memcpy(data_, values.data(), bytes);
  }
  EdgeBuffer(const EdgeBuffer&) = delete;
  EdgeBuffer& operator=(const EdgeBuffer&) = delete;
  ~EdgeBuffer() { munmap(base_, mapped_); }
  T* data() { return data_; }
  const T* data() const { return data_; }

 private:
  uint8_t* base_ = nullptr;
  size_t mapped_ = 0;
  T* data_ = nullptr;
};

// An output, one float off any alignment, with guard values around it and in every element until it is
// written.
class GuardedOutput {
 public:
  explicit GuardedOutput(size_t size) : size_(size), memory_(kGuard + size + kGuard, kSentinel) {}
  float* data() { return memory_.data() + kGuard; }
  size_t size() const { return size_; }
  float operator[](size_t i) const { return memory_[kGuard + i]; }
  bool IsWritten(size_t i) const { return (*this)[i] != kSentinel; }
  void Fill(const std::vector<float>& values) { std::copy(values.begin(), values.end(), data()); }

  // Fails when a guard was overwritten.
  void ExpectGuardsIntact() const {
    for (size_t i = 0; i < kGuard; ++i) {
      ASSERT_EQ(memory_[i], kSentinel) << "written " << kGuard - i << " before the output";
      ASSERT_EQ(memory_[kGuard + size_ + i], kSentinel) << "written " << i << " past the output";
    }
  }

 private:
  static constexpr size_t kGuard = 33;
  static constexpr float kSentinel = -987654.25f;
  size_t size_;
  std::vector<float> memory_;
};

// Deterministic values in [-1, 1].
inline std::vector<float> RandomValues(size_t count, uint32_t seed) {
  std::minstd_rand random(seed + 1);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random() % 200001) / 100000.0f - 1.0f;
  return values;
}

}  // namespace espalier
