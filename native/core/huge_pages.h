#pragma once

#include <cstddef>

namespace espalier {

// Buffers of this size and more are worth a place in huge pages.
inline constexpr size_t kLeastForHugePages = size_t{128} << 10;

// Zeroed memory of `bytes` bytes, aligned to a page; nullptr when there is none. Buffers lie one behind
// another in regions of pages of 2 MiB, where the system has them to spare: a network's weights are read from
// end to end at every run, and in pages of 4 KiB the walk through the page tables is a good part of it
// (ViT-B's 350 MB: 15 % of a run after 100 ms of idling, when the tables themselves have left the caches).
// Pages that are never written to take no memory. From any thread.
void* AllocateInHugePages(size_t bytes);

// Gives back what AllocateInHugePages gave; `bytes` as there.
void FreeInHugePages(void* memory, size_t bytes);

}  // namespace espalier
