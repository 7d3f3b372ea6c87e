#include "runtime/thread_team.h"

#include <chrono>
#include <exception>
#include <string>

#include "core/error.h"
#include "runtime/denormals.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace espalier {
namespace {

constexpr int kSpinsBetweenLooks = 32;   // at the clock
constexpr int kSpinsBeforeYield = 2000;  // about 50 microseconds

void Pause() noexcept {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

ThreadTeam::ThreadTeam(size_t threads, size_t spin_microseconds) : spin_microseconds_(spin_microseconds) {
  try {
    for (size_t thread = 1; thread < threads; ++thread)
      helpers_.emplace_back([this, thread] { Help(thread); });
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
    ++generation_;  // for a helper that spins
  }
  wake_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void ThreadTeam::Run(Function function, void* data) noexcept {
  const FlushDenormals flush;
  if (helpers_.empty()) return function(data, 0);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    function_ = function;
    data_ = data;
    open_ = true;
    ++generation_;
  }
  wake_.notify_all();
  function(data, 0);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    open_ = false;
  }
  WaitFor(joined_, 0);
}

void ThreadTeam::RunAlone(Function function, void* data) noexcept {
  const FlushDenormals flush;
  function(data, 0);
}

// Returns when a run after `seen` has begun, the team stops, or the time is over.
void ThreadTeam::SpinForRun(size_t seen) const noexcept {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + std::chrono::microseconds(spin_microseconds_);
  for (;;) {
    for (int i = 0; i < kSpinsBetweenLooks; ++i) {
      if (generation_.load(std::memory_order_acquire) != seen) return;
      Pause();
    }
    if (Clock::now() >= end) return;
  }
}

void ThreadTeam::Help(size_t thread) {
  const FlushDenormals flush;
  size_t seen = 0;
  for (;;) {
    Function function = nullptr;
    void* data = nullptr;
    if (spin_microseconds_ > 0 && seen > 0) SpinForRun(seen);
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || generation_ != seen; });
      if (stopping_) return;
      seen = generation_;
      if (!open_) continue;
      function = function_;
      data = data_;
      joined_.fetch_add(1, std::memory_order_relaxed);
    }
    function(data, thread);
    joined_.fetch_sub(1, std::memory_order_release);
  }
}

void WaitFor(const std::atomic<size_t>& counter, size_t target) noexcept {
  for (int spins = 0; counter.load(std::memory_order_acquire) != target; ++spins) {
    if (spins < kSpinsBeforeYield) {
      Pause();
    } else {
      std::this_thread::yield();
    }
  }
}

}  // namespace espalier
