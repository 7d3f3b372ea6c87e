// The thread team, the executor and the denormal mode.

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <memory>
#include <vector>

#include "runtime/denormals.h"
#include "runtime/executor.h"
#include "runtime/step.h"
#include "runtime/thread_team.h"

namespace espalier {
namespace {

// Work that any number of threads can do: counts up to kItems.
struct Counting {
  static constexpr size_t kItems = 1000;
  std::atomic<size_t> next{0};
  std::atomic<size_t> done{0};
  std::atomic<size_t> strangers{0};
  size_t threads = 0;

  static void Run(void* data, size_t thread) {
    auto* self = static_cast<Counting*>(data);
    if (thread >= self->threads) ++self->strangers;
    while (self->next.fetch_add(1) < kItems) self->done.fetch_add(1);
  }
};

TEST(ThreadTeam, DoesAllTheWorkAndReturnsWhenNoHelperIsAtItAnyMore) {
  for (size_t threads : {1, 2, 5, 40}) {
    ThreadTeam team(threads);
    ASSERT_EQ(team.size(), threads);
    for (int run = 0; run < 300; ++run) {
      // A helper that still ran after Run has returned would write to a counter that is gone.
      auto counting = std::make_unique<Counting>();
      counting->threads = threads;
      team.Run(Counting::Run, counting.get());
      ASSERT_EQ(counting->done, Counting::kItems);
      ASSERT_EQ(counting->strangers, 0u);
    }
  }
}

TEST(ThreadTeam, HelpersJoinARunThatLasts) {
  ThreadTeam team(3);
  std::atomic<size_t> joined{0};
  team.Run(
      [](void* data, size_t) {
        auto* count = static_cast<std::atomic<size_t>*>(data);
        count->fetch_add(1);
        WaitFor(*count, 3);
      },
      &joined);
  EXPECT_EQ(joined, 3u);
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
