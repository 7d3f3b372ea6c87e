#pragma once

#include <atomic>
#include <cstddef>

#include "runtime/thread_team.h"

namespace espalier {

// Calls body(i, thread) once for every i in [0, count), on the threads of the team. `body` must not throw.
// Without a team, or for one call, all of it happens here, as thread 0.
template <typename Body>
void ParallelFor(ThreadTeam* team, size_t count, const Body& body) {
  if (team == nullptr || count < 2) {
    for (size_t i = 0; i < count; ++i) body(i, size_t{0});
    return;
  }
  struct Shared {
    const Body& body;
    size_t count;
    std::atomic<size_t> next{0};
  } shared{body, count};
  team->Run(
      [](void* data, size_t thread) {
        auto& work = *static_cast<Shared*>(data);
        for (size_t i; (i = work.next.fetch_add(1)) < work.count;) work.body(i, thread);
      },
      &shared);
}

}  // namespace espalier
