#include "runtime/ops/selected_channels.h"

#include <algorithm>
#include <numeric>

#include "runtime/ops/product.h"

namespace espalier {

SelectedChannels::SelectedChannels(const StepSpec& spec, const char* key, size_t total, bool ascending)
    : all_(spec.ints.find(key) == spec.ints.end()) {
  if (all_) {
    channels_.resize(total);
    std::iota(channels_.begin(), channels_.end(), size_t{0});
    return;
  }
  channels_ = spec.Sizes(key);
  spec.Expect(!channels_.empty(), std::string("channels in ") + key);
  size_t unseen = 0;  // the first channel after those before, where they ascend
  for (const size_t channel : channels_) {
    spec.Expect(channel < total && (!ascending || channel >= unseen), std::string("channels in ") + key);
    if (!ascending) continue;
    if (channel > unseen) rest_.push_back(Run{0, unseen, channel - unseen});
    unseen = channel + 1;
  }
  if (ascending && unseen < total) rest_.push_back(Run{0, unseen, total - unseen});
}

void FinishZeros(const KernelTable& kernels, size_t rows, size_t width, float* out, size_t out_stride,
                 Epilogue epilogue) noexcept {
  constexpr size_t kMost = 256;
  constexpr size_t kWidestVector = 16;
  alignas(64) static constexpr float kZeros[kMost + kWidestVector] = {};
  for (size_t t = 0; t < width; t += kMost) {
    FinishRows(kernels, kZeros, 0, rows, std::min(kMost, width - t), out + t, out_stride, epilogue);
    if (epilogue.residual != nullptr) epilogue.residual += kMost;
  }
}

}  // namespace espalier
