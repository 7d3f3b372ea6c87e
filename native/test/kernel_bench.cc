// Prints what the matrix kernels reach, in GFLOP/s on the weights they store, beside the multiply-add peak of
// the instruction set. A tool for tuning them: it asserts nothing.
//   espalier_kernel_bench [rows [cols [sparsity [isa]]]]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
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
#include "runtime/ops/product.h"

namespace espalier {
namespace {

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
  size_t block_rows;  // of the zeros
  double sparsity;
  bool rows;  // written as rows of outputs, as convolutions do; else as rows of tokens
};

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

// Seconds of a product with `width` tokens; 0 stands for one vector. The panel is there already.
double ProductSeconds(const Product& product, bool rows, size_t width) {
  const Epilogue epilogue = EpilogueOf(Activation{});
  const size_t tokens = std::max<size_t>(width, 1);
  const TokenTiles tiles = rows ? CutTokens(tokens, PanelWidth(product.cols(), tokens))
                                : CutTokens(product.weights().format(), tokens);
  const size_t panel_width = tiles.width;
  const std::vector<uint32_t> panel_rows = PanelRows(product.cols(), panel_width);
  const size_t panel_floats = product.cols() * panel_width;
  AlignedBuffer<float> panels(tiles.count * panel_floats + kPanelSlack);
  std::fill_n(panels.data(), panels.size(), 0.5f);
  AlignedBuffer<float> out(product.rows() * RoundUp(tokens, 16));
  AlignedBuffer<float> scratch(rows ? product.rows_scratch_floats(panel_width)
                                    : product.tokens_scratch_floats(panel_width));
  if (width == 0) return Seconds([&] { product.Vector(0, panels.data(), out.data(), epilogue); });
  return Seconds([&] {
    for (size_t tile = 0; tile < tiles.count; ++tile) {
      const size_t token = tiles.Begin(tile);
      const size_t strip = tiles.Width(tile);
      const Panel panel{panels.data() + tile * panel_floats, panel_rows.data(), panel_width};
      if (rows) {
        product.ToRows(0, panel, strip, out.data() + token, RoundUp(tokens, 16), epilogue, scratch.data());
      } else {
        product.ToTokens(0, Panels::Of(panel, strip), out.data() + token * product.rows(), product.rows(),
                         epilogue, scratch.data());
      }
    }
  });
}

void PrintTable(const KernelTable& kernels, size_t rows, size_t cols, double sparsity) {
  const size_t widths[] = {0, 1, 8, 16, 32, 48, 64, 96, 128, 192};  // 0: one vector, the gemv kernels
  const double peak = Peak(kernels.isa);
  std::printf("\n%s, [%zu, %zu], sparsity %.2f, multiply-add peak %.1f GFLOP/s\n%-14s", kernels.isa, rows,
              cols, sparsity, peak, "width");
  for (const size_t width : widths) std::printf(width == 0 ? "    gemv" : "%8zu", width);
  std::printf("\n");
  const Layer layers[] = {{"dense", WeightFormat::kDense, 1, 0.0, false},
                          {"block16", WeightFormat::kBlock16, 16, sparsity, false},
                          {"block8", WeightFormat::kBlock8, 8, sparsity, false},
                          {"block4", WeightFormat::kBlock4, 4, sparsity, false},
                          {"sell", WeightFormat::kSell, 1, sparsity, false},
                          {"ell", WeightFormat::kEll, 1, sparsity, false},
                          {"csr", WeightFormat::kCsr, 1, sparsity, false},
                          {"dense, rows", WeightFormat::kDense, 1, 0.0, true},
                          {"block16, rows", WeightFormat::kBlock16, 16, sparsity, true},
                          {"block4, rows", WeightFormat::kBlock4, 4, sparsity, true},
                          {"sell, rows", WeightFormat::kSell, 1, sparsity, true}};
  for (const Layer& layer : layers) {
    const auto w = std::make_shared<const PackedWeights>(
        RandomPacked(layer.format, layer.block_rows, rows, cols, layer.sparsity));
    const Product product(kernels, w, 1);
    std::printf("%-14s", layer.name);
    for (const size_t width : widths) {
      const bool vector_only = layer.format == WeightFormat::kEll;
      if ((width == 0 && layer.format == WeightFormat::kSell) || (width != 0 && vector_only)) {
        std::printf("       -");
        continue;
      }
      std::printf("%8.1f", 2e-9 * static_cast<double>(w->stored_values()) *
                               static_cast<double>(std::max<size_t>(width, 1)) /
                               ProductSeconds(product, layer.rows, width));
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
  const std::string isa = argc > 4 ? argv[4] : "";
  if (rows == 0 || cols == 0) {
    std::fprintf(stderr, "usage: espalier_kernel_bench [rows [cols [sparsity [isa]]]]\n");
    return 2;
  }
  for (const espalier::KernelTable* table : espalier::AvailableKernels()) {
    if (isa.empty() || isa == table->isa) espalier::PrintTable(*table, rows, cols, sparsity);
  }
  return 0;
}
