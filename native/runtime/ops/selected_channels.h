#pragma once

#include <vector>

#include "runtime/step.h"

namespace espalier {

// The channels of a tensor that the rows or columns of a weight matrix stand for: C' = C[selected], without a
// copy.
class SelectedChannels {
 public:
  // The channels that the ints `key` list, of `total`; all of them where there is no such key. `ascending`:
  // each above the one before, so that none comes twice.
  SelectedChannels(const StepSpec& spec, const char* key, size_t total, bool ascending);

  bool all() const { return all_; }
  size_t count() const { return channels_.size(); }
  size_t operator[](size_t i) const { return channels_[i]; }
  const std::vector<size_t>& channels() const { return channels_; }

  // Neighbours: items [first, first + count) are channels from `channel` on.
  struct Run {
    size_t first;
    size_t channel;
    size_t count;
  };
  // visit(run) for each run of the items [first, first + count).
  template <typename Visit>
  void ForEachRun(size_t first, size_t count, const Visit& visit) const noexcept {
    const size_t end = first + count;
    while (first < end) {
      size_t next = first + 1;
      while (next < end && channels_[next] == channels_[next - 1] + 1) ++next;
      visit(Run{first, channels_[first], next - first});
      first = next;
    }
  }
  // The runs of channels that are not selected, `first` unused.
  const std::vector<Run>& rest() const { return rest_; }

 private:
  std::vector<size_t> channels_;
  std::vector<Run> rest_;
  bool all_;
};

// out[row * out_stride + t] = epilogue(0), for t < width.
void FinishZeros(const KernelTable& kernels, size_t rows, size_t width, float* out, size_t out_stride,
                 Epilogue epilogue) noexcept;

}  // namespace espalier
