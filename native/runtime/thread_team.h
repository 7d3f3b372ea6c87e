#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

namespace espalier {

// The caller and up to `threads - 1` helpers that run one function together. Helpers are parked between runs.
// A run waits for the helpers that have joined it, not for one that the system has not woken yet.
class ThreadTeam {
 public:
  using Function = void (*)(void* data, size_t thread);

  // Throws Error{kMemory} when the system gives fewer threads.
  // A helper that has nothing to do looks for the next run for `spin_microseconds` before it parks: a run
  // that comes sooner need not wake it, but the core is busy meanwhile.
  explicit ThreadTeam(size_t threads, size_t spin_microseconds = 0);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  size_t size() const { return helpers_.size() + 1; }

  // Calls function(data, 0) here, and function(data, thread) on each helper that joins before it returns.
  // Returns when all of them are done. So the function must do all the work on one thread if it has to.
  void Run(Function function, void* data) noexcept;

  // The same without the helpers: to wake one takes longer than a plan of small steps.
  static void RunAlone(Function function, void* data) noexcept;

 private:
  void Help(size_t thread);
  void Stop();
  void SpinForRun(size_t seen) const noexcept;

  const size_t spin_microseconds_;
  std::vector<std::thread> helpers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<size_t> generation_{0};  // written under mutex_
  bool open_ = false;                  // guarded by mutex_: the run of this generation can be joined
  bool stopping_ = false;              // guarded by mutex_
  Function function_ = nullptr;        // guarded by mutex_
  void* data_ = nullptr;               // guarded by mutex_
  std::atomic<size_t> joined_{0};
};

// Returns when `counter` has reached `target`. Spins, then yields: on a busy machine the thread that has to
// count may need this core.
void WaitFor(const std::atomic<size_t>& counter, size_t target) noexcept;

}  // namespace espalier
