#include "runtime/thread_team.h"

#include <exception>
#include <string>

#include "core/error.h"
#include "runtime/denormals.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace espalier {
namespace {

constexpr int kSpinsBeforeYield = 2000;  // about 50 microseconds

void Pause() noexcept {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

ThreadTeam::ThreadTeam(size_t threads) {
  try {
    for (size_t thread = 1; thread < threads; ++thread)
      workers_.emplace_back([this, thread] { Work(thread); });
  } catch (const std::exception&) {  // no thread, or no memory for one
    const size_t got = size();
    Stop();
    throw Error(ErrorCode::kMemory,
                "Expected room for " + std::to_string(threads) + " threads, got " + std::to_string(got));
  }
}

ThreadTeam::~ThreadTeam() { Stop(); }

void ThreadTeam::Stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadTeam::Run(Function function, void* data) noexcept {
  const FlushDenormals flush;
  if (!workers_.empty()) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      function_ = function;
      data_ = data;
      ++generation_;
    }
    wake_.notify_all();
  }
  function(data, 0);
  Barrier();
}

void ThreadTeam::Work(size_t thread) {
  const FlushDenormals flush;
  size_t seen = 0;
  for (;;) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || generation_ != seen; });
      if (stopping_) return;
      seen = generation_;
    }
    function_(data_, thread);
    Barrier();
  }
}

void ThreadTeam::Barrier() noexcept {
  if (workers_.empty()) return;
  const size_t phase = phase_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size()) {
    arrived_.store(0, std::memory_order_relaxed);
    phase_.store(phase + 1, std::memory_order_release);
    return;
  }
  for (int spins = 0; phase_.load(std::memory_order_acquire) == phase; ++spins) {
    if (spins < kSpinsBeforeYield) {
      Pause();
    } else {
      std::this_thread::yield();
    }
  }
}

}  // namespace espalier
