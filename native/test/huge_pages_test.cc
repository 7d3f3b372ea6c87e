// Large buffers: zero, apart, and gone when they are freed.
#include "core/huge_pages.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace espalier {
namespace {

struct Buffer {
  uint8_t* memory;
  size_t bytes;
  uint8_t mark;
};

Buffer Take(size_t bytes, uint8_t mark) {
  auto* const memory = static_cast<uint8_t*>(AllocateInHugePages(bytes));
  EXPECT_NE(memory, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 16, 0u);
  for (size_t i = 0; i < bytes; i += 509) EXPECT_EQ(memory[i], 0) << i;
  EXPECT_EQ(memory[bytes - 1], 0);
  std::memset(memory, mark, bytes);
  return {memory, bytes, mark};
}

void Give(const Buffer& buffer) {
  for (size_t i = 0; i < buffer.bytes; i += 509) EXPECT_EQ(buffer.memory[i], buffer.mark) << i;
  EXPECT_EQ(buffer.memory[buffer.bytes - 1], buffer.mark);
  FreeInHugePages(buffer.memory, buffer.bytes);
}

// Takes and gives buffers of all sizes in a random order.
void TakeAndGive(unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Buffer> held;
  for (int i = 0; i < 300; ++i) {
    if (held.size() < 12 && random() % 2 == 0) {
      const size_t most = random() % 8 == 0 ? size_t{40} << 20 : size_t{1} << 20;
      held.push_back(Take(kLeastForHugePages + random() % most, static_cast<uint8_t>(1 + random() % 255)));
    } else if (!held.empty()) {
      const size_t k = random() % 3 == 0 ? random() % held.size() : held.size() - 1;
      Give(held[k]);
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(k));
    }
  }
  for (const Buffer& buffer : held) Give(buffer);
}

TEST(HugePages, BuffersAreZeroAndKeepWhatIsWritten) { TakeAndGive(1); }

TEST(HugePages, FromTwoThreads) {
  std::thread other(TakeAndGive, 2);
  TakeAndGive(3);
  other.join();
}

TEST(HugePages, WhatNoSystemHasIsNothing) { EXPECT_EQ(AllocateInHugePages(size_t{1} << 60), nullptr); }

}  // namespace
}  // namespace espalier
