#pragma once

#include <vector>

#include "formats/matrix_view.h"

namespace espalier {

// Filters of 3 x 3 taps as Winograd's F(4 x 4, 3 x 3) multiplies by them: G g G^T (winograd-inl.h names the
// source). `filters` is [outputs, channels * 9]; the result [36, RoundUp(outputs, 16), channels] row-major,
// where rows past the outputs are zero. Throws Error{kShape} when the view leaves its bytes or its columns
// are no 3 x 3 taps.
std::vector<float> WinogradFilters(const MatrixView& filters);

inline constexpr size_t kWinogradComponents = 36;

}  // namespace espalier
