#include "core/guarded_mapping.h"

#if defined(__unix__) || defined(__APPLE__)

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <mutex>

#include "core/aligned_buffer.h"

namespace espalier {
namespace {

// What the handler reads: it may interrupt anything, so no lock and no allocation.
struct Slot {
  std::atomic<uintptr_t> begin{0};  // 0: free
  std::atomic<uintptr_t> end{0};
  std::atomic<bool> lost{false};
};

constexpr size_t kSlots = 64;
Slot slots[kSlots];
std::mutex slots_mutex;  // for those who fill and free slots
struct sigaction previous;

uintptr_t PageSize() {
  static const auto size = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  return size;
}

Slot* FindSlot(uintptr_t address) {
  for (Slot& slot : slots) {
    const uintptr_t begin = slot.begin.load();
    if (begin != 0 && address >= begin && address < slot.end.load()) return &slot;
  }
  return nullptr;
}

void OnBusError(int signal, siginfo_t* info, void* context) {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  Slot* slot = info->si_code > 0 ? FindSlot(address) : nullptr;  // not for one that a program sent
  if (slot != nullptr) {
    const uintptr_t page = address - address % PageSize();
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel names an address
    void* const zeros = mmap(reinterpret_cast<void*>(page), slot->end.load() - page, PROT_READ,
                             MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    slot->lost.store(true);
    if (zeros != MAP_FAILED) return;  // the read that failed happens again
  }
  if ((previous.sa_flags & SA_SIGINFO) != 0) return previous.sa_sigaction(signal, info, context);
  if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) return previous.sa_handler(signal);
  std::signal(signal, SIG_DFL);  // the process ends as it would have without us
  raise(signal);
}

void InstallHandler() {
  static const bool installed = [] {
    PageSize();  // computed before a handler needs it
    struct sigaction action;
    std::memset(&action, 0, sizeof(action));
    action.sa_sigaction = OnBusError;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    return sigaction(SIGBUS, &action, &previous) == 0;
  }();
  static_cast<void>(installed);
}

}  // namespace

std::unique_ptr<GuardedMapping> GuardedMapping::Map(int file, size_t size) {
  const std::lock_guard<std::mutex> lock(slots_mutex);
  InstallHandler();
  for (size_t i = 0; i < kSlots; ++i) {
    Slot& slot = slots[i];
    if (slot.begin.load() != 0) continue;
    void* const memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (memory == MAP_FAILED) return nullptr;
    const size_t readable = RoundUp(size, PageSize());
    slot.lost.store(false);
    slot.end.store(reinterpret_cast<uintptr_t>(memory) + readable);
    slot.begin.store(reinterpret_cast<uintptr_t>(memory));
    return std::unique_ptr<GuardedMapping>(
        new GuardedMapping(i, static_cast<const uint8_t*>(memory), readable));
  }
  return nullptr;
}

GuardedMapping::~GuardedMapping() {
  const std::lock_guard<std::mutex> lock(slots_mutex);
  slots[slot_].begin.store(0);  // first: once unmapped, the addresses may be given to others
  munmap(const_cast<uint8_t*>(data_), readable_);
}

void GuardedMapping::Forget(size_t offset, size_t size) const {
  const size_t begin = RoundUp(offset, PageSize());
  const size_t end = (offset + size) / PageSize() * PageSize();
  if (begin < end) madvise(const_cast<uint8_t*>(data_) + begin, end - begin, MADV_DONTNEED);
}

bool GuardedMapping::lost() const { return slots[slot_].lost.load(); }

}  // namespace espalier

#else

namespace espalier {

std::unique_ptr<GuardedMapping> GuardedMapping::Map(int, size_t) { return nullptr; }
GuardedMapping::~GuardedMapping() = default;
void GuardedMapping::Forget(size_t, size_t) const {}
bool GuardedMapping::lost() const { return false; }

}  // namespace espalier

#endif
