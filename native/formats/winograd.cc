#include "formats/winograd.h"

#include <cstring>

#include "core/aligned_buffer.h"
#include "core/error.h"
#include "core/sizes.h"

namespace espalier {
namespace {

constexpr double kG[6][3] = {{1.0 / 4, 0, 0},
                             {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                             {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                             {1.0 / 24, 1.0 / 12, 1.0 / 6},
                             {1.0 / 24, -1.0 / 12, 1.0 / 6},
                             {0, 0, 1}};

// u[6 * i + j] = (G g G^T)[i][j]
void TransformFilter(const double (&g)[9], double (&u)[kWinogradComponents]) {
  double half[6][3];
  for (size_t i = 0; i < 6; ++i) {
    for (size_t c = 0; c < 3; ++c) half[i][c] = kG[i][0] * g[c] + kG[i][1] * g[3 + c] + kG[i][2] * g[6 + c];
  }
  for (size_t i = 0; i < 6; ++i) {
    for (size_t j = 0; j < 6; ++j) {
      u[6 * i + j] = kG[j][0] * half[i][0] + kG[j][1] * half[i][1] + kG[j][2] * half[i][2];
    }
  }
}

}  // namespace

std::vector<float> WinogradFilters(const MatrixView& filters) {
  CheckView(filters);
  if (filters.cols % 9 != 0) {
    throw Error(ErrorCode::kShape,
                "Expected filters of 3 x 3 taps, got " + std::to_string(filters.cols) + " columns");
  }
  const size_t channels = filters.cols / 9;
  const size_t rows = RoundUp(filters.rows, 16);
  std::vector<float> transformed(MultiplySizes(MultiplySizes(kWinogradComponents, rows), channels));
  for (size_t row = 0; row < filters.rows; ++row) {
    for (size_t channel = 0; channel < channels; ++channel) {
      double g[9];
      for (size_t tap = 0; tap < 9; ++tap) {
        const size_t at =
            filters.offset + row * filters.row_stride + (channel * 9 + tap) * filters.col_stride;
        float value;
        std::memcpy(&value, filters.bytes + 4 * at, sizeof(value));
        g[tap] = static_cast<double>(value);
      }
      double u[kWinogradComponents];
      TransformFilter(g, u);
      for (size_t k = 0; k < kWinogradComponents; ++k) {
        transformed[(k * rows + row) * channels + channel] = static_cast<float>(u[k]);
      }
    }
  }
  return transformed;
}

}  // namespace espalier
