// Blocked transpose: kTile x kTile tiles are turned in registers. A block of kColumns columns is walked along
// the rows of x, kTile of them at a time: what it writes of y stays in the first-level cache, and x is read
// in runs. Walking down the columns instead takes twice the time where rows of x are a multiple of 4 KiB
// apart, which all want the same few lines of the cache.

ESPALIER_INLINE void TransposeScalar(const float* x, size_t x_stride, size_t rows, size_t cols, float* y,
                                     size_t y_stride) {
  for (size_t c = 0; c < cols; ++c) {
    for (size_t r = 0; r < rows; ++r) y[c * y_stride + r] = x[r * x_stride + c];
  }
}

ESPALIER_INLINE void TransposeFull(const float* x, size_t x_stride, float* y, size_t y_stride) {
  TileRow tile[kTile];
  LoadTurned(x, x_stride, tile);
  ESPALIER_UNROLL
  for (size_t i = 0; i < kTile; ++i) StoreTileRow(y + i * y_stride, tile[i]);
}

// rows and cols at most kTile.
inline void TransposePart(const float* x, size_t x_stride, size_t rows, size_t cols, float* y,
                          size_t y_stride) {
  // A tile that is mostly empty costs more than its few values.
  if (rows * cols * 4 < kTile * kTile) return TransposeScalar(x, x_stride, rows, cols, y, y_stride);
  TileRow tile[kTile];
  ESPALIER_UNROLL
  for (size_t i = 0; i < kTile; ++i) tile[i] = i < rows ? LoadTileRowN(x + i * x_stride, cols) : TileRow{};
  TurnTile(tile);
  ESPALIER_UNROLL
  for (size_t i = 0; i < kTile; ++i) {
    if (i < cols) StoreTileRowN(y + i * y_stride, tile[i], rows);
  }
}

void transpose(const float* x, size_t x_stride, size_t rows, size_t cols, float* y,
               size_t y_stride) noexcept {
  constexpr size_t kColumns = 128;
  for (size_t block = 0; block < cols; block += kColumns) {
    const size_t block_end = block + kColumns < cols ? block + kColumns : cols;
    for (size_t r = 0; r < rows; r += kTile) {
      const size_t tile_rows = rows - r < kTile ? rows - r : kTile;
      for (size_t c = block; c < block_end; c += kTile) {
        const size_t tile_cols = block_end - c < kTile ? block_end - c : kTile;
        const float* from = x + r * x_stride + c;
        float* to = y + c * y_stride + r;
        if (tile_rows == kTile && tile_cols == kTile) {
          TransposeFull(from, x_stride, to, y_stride);
        } else {
          TransposePart(from, x_stride, tile_rows, tile_cols, to, y_stride);
        }
      }
    }
  }
}
