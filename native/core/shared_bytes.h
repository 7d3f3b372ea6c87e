#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "core/aligned_buffer.h"

namespace espalier {

// Bytes that no one writes to any more, and what keeps them there: memory of their own, or a part of a
// file's. As with AlignedBuffer, they start at a multiple of 64 and 64 more bytes can be read behind them.
class SharedBytes {
 public:
  SharedBytes() = default;
  // Not explicit, so that packers fill sections. NOLINTNEXTLINE(google-explicit-constructor)
  SharedBytes(AlignedBuffer<uint8_t> buffer) : size_(buffer.size()) {
    auto owner = std::make_shared<const AlignedBuffer<uint8_t>>(std::move(buffer));
    data_ = owner->data();
    owner_ = std::move(owner);
  }
  SharedBytes(const uint8_t* data, size_t size, std::shared_ptr<const void> owner)
      : data_(data), size_(size), owner_(std::move(owner)) {}

  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
  std::shared_ptr<const void> owner_;
};

}  // namespace espalier
