// Prints what the matrix kernels reach, in GFLOP/s on the weights they store, beside the multiply-add peak of
// the instruction set. A tool for tuning them: it asserts nothing.
//   espalier_kernel_bench [rows [cols [sparsity]]]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "formats/packed_weights.h"
#include "isa/isa.h"
#include "runtime/ops/panel_matmul.h"

namespace espalier {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Seconds of one call: the best of several batches of at least 2 ms, since other work on the machine only
// adds to it.
template <typename Run>
double Seconds(const Run& run) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> batches;
  size_t calls = 1;
  while (batches.size() < 15) {
    const Clock::time_point start = Clock::now();
    for (size_t i = 0; i < calls; ++i) run();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (seconds < 2e-3) {
      calls *= 2;
    } else {
      batches.push_back(seconds / static_cast<double>(calls));
    }
  }
  return *std::min_element(batches.begin(), batches.end());
}

// A [rows, cols] matrix whose blocks of `block_rows` x 1 are kept with probability 1 - sparsity.
PackedWeights RandomPacked(WeightFormat format, size_t block_rows, size_t rows, size_t cols,
                           double sparsity) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> value(0.1f, 1.0f);
  std::vector<float> dense(rows * cols);
  for (size_t row = 0; row < rows; row += block_rows) {
    for (size_t col = 0; col < cols; ++col) {
      if (std::uniform_real_distribution<double>()(random) < sparsity) continue;
      for (size_t r = row; r < std::min(rows, row + block_rows); ++r) dense[r * cols + col] = value(random);
    }
  }
  return PackedWeights::Pack(
      {reinterpret_cast<const uint8_t*>(dense.data()), dense.size() * 4, rows, cols, 0, cols, 1}, format);
}

struct Layer {
  const char* name;
  WeightFormat format;
  size_t block_rows;
  double sparsity;
};

void Product(const KernelTable& kernels, const PackedWeights& w, const float* x, const Panel& panel,
             size_t width, float* out) {
  const Epilogue epilogue = {nullptr, nullptr, 0, -kInfinity, kInfinity};
  const size_t rows = w.rows();
  switch (w.format()) {
    case WeightFormat::kDense:
    case WeightFormat::kBlock16:
      if (width == 0) return kernels.gemv_block16(w.block(), 0, rows, x, out, epilogue);
      return kernels.panel_matmul_block16(w.block(), 0, rows, panel, width, out, RoundUp(width, 16),
                                          epilogue);
    case WeightFormat::kBlock8:
      if (width == 0) return kernels.gemv_block8(w.block(), 0, rows, x, out, epilogue);
      return kernels.panel_matmul_block8(w.block(), 0, rows, panel, width, out, RoundUp(width, 16), epilogue);
    case WeightFormat::kBlock4:
      if (width == 0) return kernels.gemv_block4(w.block(), 0, rows, x, out, epilogue);
      return kernels.panel_matmul_block4(w.block(), 0, rows, panel, width, out, RoundUp(width, 16), epilogue);
    case WeightFormat::kCsr:
      if (width == 0) return kernels.gemv_csr(w.csr(), 0, rows, x, out, epilogue);
      return kernels.panel_matmul_csr(w.csr(), 0, rows, panel, width, out, RoundUp(width, 16), epilogue);
  }
}

#if defined(__x86_64__) || defined(__aarch64__)
// Twelve independent chains: what the multiply-add units do when nothing else is in the way. `sink` keeps the
// result.
constexpr int kChains = 12;
constexpr size_t kSteps = 4096;
#endif

#if defined(__x86_64__)
__attribute__((target("avx512f"))) void MultiplyAdds512(float* sink) {
  __m512 sums[kChains];
  for (int c = 0; c < kChains; ++c) sums[c] = _mm512_set1_ps(static_cast<float>(c));
  const __m512 x = _mm512_set1_ps(sink[0]);
  for (size_t i = 0; i < kSteps; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) sums[c] = _mm512_fmadd_ps(sums[c], x, x);
  }
  for (int c = 0; c < kChains; ++c) _mm512_storeu_ps(sink + 1 + 16 * c, sums[c]);
}

__attribute__((target("avx2,fma"))) void MultiplyAdds256(float* sink) {
  __m256 sums[kChains];
  for (int c = 0; c < kChains; ++c) sums[c] = _mm256_set1_ps(static_cast<float>(c));
  const __m256 x = _mm256_set1_ps(sink[0]);
  for (size_t i = 0; i < kSteps; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) sums[c] = _mm256_fmadd_ps(sums[c], x, x);
  }
  for (int c = 0; c < kChains; ++c) _mm256_storeu_ps(sink + 1 + 8 * c, sums[c]);
}
#elif defined(__aarch64__)
void MultiplyAdds128(float* sink) {
  float32x4_t sums[kChains];
  for (int c = 0; c < kChains; ++c) sums[c] = vdupq_n_f32(static_cast<float>(c));
  const float32x4_t x = vdupq_n_f32(sink[0]);
  for (size_t i = 0; i < kSteps; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) sums[c] = vfmaq_f32(x, sums[c], x);
  }
  for (int c = 0; c < kChains; ++c) vst1q_f32(sink + 1 + 4 * c, sums[c]);
}
#endif

// GFLOP/s, or 0 where it is not measured.
double Peak([[maybe_unused]] const std::string& isa) {
#if defined(__x86_64__)
  std::vector<float> sink(1 + 16 * kChains, 0.5f);
  if (isa == "avx512") return 2e-9 * 16 * kChains * kSteps / Seconds([&] { MultiplyAdds512(sink.data()); });
  if (isa == "avx2") return 2e-9 * 8 * kChains * kSteps / Seconds([&] { MultiplyAdds256(sink.data()); });
#elif defined(__aarch64__)
  std::vector<float> sink(1 + 4 * kChains, 0.5f);
  if (isa == "neon") return 2e-9 * 4 * kChains * kSteps / Seconds([&] { MultiplyAdds128(sink.data()); });
#endif
  return 0.0;
}

void PrintTable(const KernelTable& kernels, size_t rows, size_t cols, double sparsity) {
  const size_t widths[] = {0, 1, 8, 16, 32, 48, 64, 96, 128, 192};  // 0: one vector, the gemv kernels
  const double peak = Peak(kernels.isa);
  std::printf("\n%s, [%zu, %zu], sparsity %.2f, multiply-add peak %.1f GFLOP/s\n%-8s", kernels.isa, rows,
              cols, sparsity, peak, "width");
  for (const size_t width : widths) std::printf(width == 0 ? "    gemv" : "%8zu", width);
  std::printf("\n");
  const Layer layers[] = {{"dense", WeightFormat::kDense, 1, 0.0},
                          {"block16", WeightFormat::kBlock16, 16, sparsity},
                          {"block8", WeightFormat::kBlock8, 8, sparsity},
                          {"block4", WeightFormat::kBlock4, 4, sparsity},
                          {"csr", WeightFormat::kCsr, 1, sparsity}};
  for (const Layer& layer : layers) {
    const PackedWeights w = RandomPacked(layer.format, layer.block_rows, rows, cols, layer.sparsity);
    std::printf("%-8s", layer.name);
    for (const size_t width : widths) {
      const size_t stride = width == 0 ? 1 : RoundUp(width, 16);
      AlignedBuffer<float> panel(cols * stride);
      AlignedBuffer<float> out(rows * stride);
      std::fill_n(panel.data(), cols * stride, 0.5f);
      const std::vector<uint32_t> panel_rows = PanelRows(w.cols(), RoundUp(width, 16));
      const Panel view{panel.data(), panel_rows.data()};
      const double seconds = Seconds([&] { Product(kernels, w, panel.data(), view, width, out.data()); });
      const double flops =
          2.0 * static_cast<double>(w.stored_values()) * static_cast<double>(width == 0 ? 1 : width);
      std::printf("%8.1f", flops / seconds * 1e-9);
      std::fflush(stdout);
    }
    std::printf("\n");
  }
}

}  // namespace
}  // namespace espalier

int main(int argc, char** argv) {
  const size_t rows = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 256;
  const size_t cols = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 256;
  const double sparsity = argc > 3 ? std::strtod(argv[3], nullptr) : 0.8;
  if (rows == 0 || cols == 0) {
    std::fprintf(stderr, "usage: espalier_kernel_bench [rows [cols [sparsity]]]\n");
    return 2;
  }
  for (const espalier::KernelTable* table : espalier::AvailableKernels()) {
    espalier::PrintTable(*table, rows, cols, sparsity);
  }
  return 0;
}
