// The thread team, the executor and the denormal mode.

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <vector>

#include "runtime/denormals.h"
#include "runtime/executor.h"
#include "runtime/step.h"
#include "runtime/thread_team.h"

namespace espalier {
namespace {

TEST(ThreadTeam, EveryThreadRunsOnceAndMeetsTheOthersAtBarriers) {
  for (size_t threads : {1, 2, 5}) {
    ThreadTeam team(threads);
    struct Shared {
      ThreadTeam* team;
      std::atomic<size_t> arrived{0};
      std::atomic<size_t> late{0};
      std::vector<int> calls;
    } shared;
    shared.team = &team;
    shared.calls.assign(threads, 0);
    for (int run = 0; run < 200; ++run) {
      shared.arrived = 0;
      team.Run(
          [](void* data, size_t thread) {
            auto* s = static_cast<Shared*>(data);
            ++s->calls[thread];
            for (size_t round = 1; round <= 3; ++round) {
              ++s->arrived;
              s->team->Barrier();
              if (s->arrived != round * s->team->size()) ++s->late;
              s->team->Barrier();
            }
          },
          &shared);
    }
    EXPECT_EQ(shared.late, 0u);
    for (int calls : shared.calls) EXPECT_EQ(calls, 200);
  }
}

TEST(Executor, DoesItsJobsInOrderAndFinishesThemWhenItEnds) {
  std::vector<int> done;
  {
    Executor executor;
    for (int i = 0; i < 100; ++i) executor.Post([&done, i] { done.push_back(i); });
  }
  ASSERT_EQ(done.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(done[static_cast<size_t>(i)], i);
}

TEST(FlushDenormals, FlushesWhileAliveAndRestores) {
  volatile float smallest = std::numeric_limits<float>::min();
  volatile float half = 0.5f;
  EXPECT_NE(smallest * half, 0.0f);
  {
    const FlushDenormals flush;
    EXPECT_EQ(smallest * half, 0.0f);
  }
  EXPECT_NE(smallest * half, 0.0f);
}

TEST(SplitWork, CoversEverythingOnce) {
  for (size_t total : {0, 1, 5, 1000}) {
    for (size_t grain : {0, 1, 7, 5000}) {
      for (size_t threads : {1, 2, 8}) {
        const Split split = SplitWork(total, grain, threads);
        ASSERT_GE(split.parts, 1u);
        EXPECT_EQ(split.Begin(0), 0u);
        EXPECT_EQ(split.End(split.parts - 1), total);
        for (size_t part = 1; part < split.parts; ++part) EXPECT_EQ(split.Begin(part), split.End(part - 1));
        if (threads == 1) {
          EXPECT_EQ(split.parts, 1u);
        }
      }
    }
  }
}

}  // namespace
}  // namespace espalier
