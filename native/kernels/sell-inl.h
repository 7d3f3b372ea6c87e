// The product of one chunk of rows of K-blocked SELL weights with a panel (SellMatrix).
//
// A block of columns is small enough for its part of the panel to stay in the first-level cache while the
// rows of the chunk stream by; their sums wait in the second. The four rows of a slice have nothing in
// common, so each multiply-add reads its input from memory, and the load ports are the limit: four weights
// come with one load and are broadcast by permutations, four columns with another.

// Vectors of a strip: four rows of sums and four broadcast weights fit the registers.
constexpr int kSellVecs = kRegisters == 32 ? 4 : 2;

template <typename Value, int kVecs, bool kStrided>
ESPALIER_INLINE void SellSlice(const Value* values, const uint8_t* columns, size_t steps, const Panel& panel,
                               const uint32_t* panel_rows, Vec (*sums)[kVecs]) {
  ESPALIER_MCA_LOOP("sell slice", 4, kVecs);
  for (size_t i = 0; i < steps; ++i, values += 4, columns += 4) {
    uint32_t four;
    __builtin_memcpy(&four, columns, 4);
    const auto quad = LoadQuad(values);
    const Vec weights[4] = {LaneOf<0>(quad), LaneOf<1>(quad), LaneOf<2>(quad), LaneOf<3>(quad)};
    ESPALIER_UNROLL
    for (int r = 0; r < 4; ++r) {
      const size_t column = (four >> (8 * r)) & 0xff;
      const float* x = panel.data + (kStrided ? column * panel.stride : panel_rows[column]);
      ESPALIER_UNROLL
      for (int v = 0; v < kVecs; ++v) sums[r][v] = Fma(weights[r], Load(x + v * kLanes), sums[r][v]);
    }
  }
}

// What one strip of one tile needs.
struct SellTile {
  const uint8_t* counts;  // [slices]
  const uint16_t* order;  // [slices, 4]
  const uint8_t* columns;
  size_t slices;
  bool first;  // the sums start at zero
  const uint32_t* panel_rows;
};

template <typename Value, int kVecs, bool kStrided>
void SellStrip(const SellTile& tile, const Value* values, const Panel& panel, float* sums, size_t stride) {
  const uint8_t* columns = tile.columns;
  for (size_t slice = 0; slice < tile.slices; ++slice) {
    Vec tile_sums[4][kVecs];
    float* rows[4];
    ESPALIER_UNROLL
    for (int r = 0; r < 4; ++r) {
      rows[r] = sums + tile.order[slice * 4 + r] * stride;
      ESPALIER_UNROLL
      for (int v = 0; v < kVecs; ++v) tile_sums[r][v] = tile.first ? Zero() : Load(rows[r] + v * kLanes);
    }
    const size_t steps = tile.counts[slice];
    SellSlice<Value, kVecs, kStrided>(values, columns, steps, panel, tile.panel_rows, tile_sums);
    values += 4 * steps;
    columns += 4 * steps;
    ESPALIER_UNROLL
    for (int r = 0; r < 4; ++r) {
      ESPALIER_UNROLL
      for (int v = 0; v < kVecs; ++v) Store(rows[r] + v * kLanes, tile_sums[r][v]);
    }
  }
}

template <typename Value, bool kStrided>
void SellChunk(const SellMatrix& w, size_t chunk, size_t block_begin, size_t block_end, const Panel& panel,
               size_t width, float* sums, size_t stride) {
  const size_t blocks = (w.cols + w.block_cols - 1) / w.block_cols;
  const size_t slices_before = chunk * (w.chunk_rows / 4) * blocks;
  const size_t rows =
      w.rows - chunk * w.chunk_rows < w.chunk_rows ? w.rows - chunk * w.chunk_rows : w.chunk_rows;
  const size_t slices = (rows + 3) / 4;
  for (size_t block = block_begin; block < block_end; ++block) {
    const size_t start = w.starts[chunk * blocks + block];
    const size_t first_slice = slices_before + block * slices;
    const size_t first_column = block * w.block_cols;
    const SellTile tile = {w.counts + first_slice,
                           w.order + first_slice * 4,
                           w.columns + start * 4,
                           slices,
                           block == 0,
                           kStrided ? nullptr : panel.rows + first_column};
    const Value* values = static_cast<const Value*>(w.values.data) + start * 4;
    const float* data = panel.data + (kStrided ? first_column * panel.stride : 0);
    for (size_t t = 0; t < width; t += kSellVecs * kLanes) {
      const Panel strip = {data + t, panel.rows, panel.stride};
      const size_t vecs = (width - t + kLanes - 1) / kLanes;
      float* to = sums + t;
      if (vecs == 1) {
        SellStrip<Value, 1, kStrided>(tile, values, strip, to, stride);
      } else if (vecs == 2 || kSellVecs == 2) {
        SellStrip<Value, 2, kStrided>(tile, values, strip, to, stride);
      } else if (vecs == 3) {
        SellStrip < Value, kSellVecs<3 ? 2 : 3, kStrided>(tile, values, strip, to, stride);
      } else {
        SellStrip<Value, kSellVecs, kStrided>(tile, values, strip, to, stride);
      }
    }
  }
}

void panel_matmul_sell(const SellMatrix& w, size_t chunk, size_t block_begin, size_t block_end,
                       const Panel& panel, size_t width, float* sums, size_t sums_stride) noexcept {
  const auto run = panel.stride != 0 ? (w.values.half ? SellChunk<Half, true> : SellChunk<float, true>)
                                     : (w.values.half ? SellChunk<Half, false> : SellChunk<float, false>);
  run(w, chunk, block_begin, block_end, panel, width, sums, sums_stride);
}
