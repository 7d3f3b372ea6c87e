#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

namespace espalier {

// `threads` threads that run one function together: the caller is one of them. Parked between runs.
class ThreadTeam {
 public:
  using Function = void (*)(void* data, size_t thread);

  // Throws Error{kMemory} when the system gives fewer threads.
  explicit ThreadTeam(size_t threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  size_t size() const { return workers_.size() + 1; }

  // Calls function(data, thread) on every thread, thread 0 being the caller, and returns when all are done.
  void Run(Function function, void* data) noexcept;

  // Called by every thread inside Run: returns when all have arrived. Spins, then yields (an oversubscribed
  // core).
  void Barrier() noexcept;

 private:
  void Work(size_t thread);
  void Stop();

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  size_t generation_ = 0;  // guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_
  Function function_ = nullptr;
  void* data_ = nullptr;
  std::atomic<size_t> arrived_{0};
  std::atomic<size_t> phase_{0};
};

}  // namespace espalier
