// The product of 16-row blocks (dense too) with a panel, lanes along the rows: a block is kBlockVecs vectors
// of weights, and each token's input is broadcast from the panel by the multiply-add itself. The sums of 16
// outputs of a token leave the registers side by side, as row-major outputs want them: nothing is transposed.

constexpr int kBlockVecs = 16 / static_cast<int>(kLanes);

// Tokens of the widest tile: sums, weights and one broadcast share the registers.
constexpr int kTokenTile = kBlockVecs == 1                       ? 24
                           : kRegisters == 32                    ? 6
                           : kRegisters == 16 && kBlockVecs == 2 ? 6
                                                                 : 1;

struct TokenOutput {
  float* out;  // the first token of the tile
  size_t stride;
  size_t tokens;  // that exist
  const float* residual;
  const Epilogue* epilogue;
};

template <typename Value, int kTokens, bool kDense>
ESPALIER_INLINE void TokenTile(const Value* values, const uint16_t* columns, size_t count, const Panel& panel,
                               size_t row, size_t rows, const TokenOutput& to) {
  Vec sums[kTokens][kBlockVecs];
  ESPALIER_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    ESPALIER_UNROLL
    for (int v = 0; v < kBlockVecs; ++v) sums[t][v] = Zero();
  }
  ESPALIER_MCA_LOOP("token tile", kTokens, kBlockVecs);
  for (size_t i = 0; i < count; ++i) {
    const float* x = panel.data + panel.rows[kDense ? i : columns[i]];
    Vec weights[kBlockVecs];
    ESPALIER_UNROLL
    for (int v = 0; v < kBlockVecs; ++v) weights[v] = LoadValues(values + i * 16 + v * kLanes);
    ESPALIER_UNROLL
    for (int t = 0; t < kTokens; ++t) {
      const Vec input = Set1(x[t]);
      ESPALIER_UNROLL
      for (int v = 0; v < kBlockVecs; ++v) sums[t][v] = Fma(input, weights[v], sums[t][v]);
    }
  }
  const Epilogue& e = *to.epilogue;
  ESPALIER_UNROLL
  for (int t = 0; t < kTokens; ++t) {
    if (static_cast<size_t>(t) >= to.tokens) break;
    float* y = to.out + t * to.stride + row;
    const float* residual = to.residual == nullptr ? nullptr : to.residual + t * e.residual_stride + row;
    ESPALIER_UNROLL
    for (int v = 0; v < kBlockVecs; ++v) {
      const size_t lane = v * kLanes;
      if (lane >= rows) break;
      FinishLanes(sums[t][v], row + lane, rows - lane, residual == nullptr ? nullptr : residual + lane,
                  y + lane, e);
    }
  }
  if (!HasActivation(e)) return;
  for (size_t t = 0; t < to.tokens && t < kTokens; ++t) {
    Activate(e, to.out + t * to.stride + row, rows < 16 ? rows : 16);
  }
}

template <typename Value, int kTokens, bool kDense>
void TokenStrip(const BlockMatrix& w, size_t row_begin, size_t row_end, const Panel& panel,
                const TokenOutput& to) {
  for (size_t row = row_begin; row < row_end; row += 16) {
    const BlockRange blocks = BlocksOf(w, row / 16);
    TokenTile<Value, kTokens, kDense>(static_cast<const Value*>(w.values.data) + blocks.first * 16,
                                      kDense ? nullptr : w.columns + blocks.first, blocks.count,
                                      PanelOf<kDense>(w, row / 16, blocks, panel), row, row_end - row, to);
  }
}

// The tile for `tokens` tokens, or the widest. Tiles between two sizes compute a few tokens that are dropped.
template <typename Value, bool kDense>
size_t TokenTileFor(const BlockMatrix& w, size_t row_begin, size_t row_end, const Panel& panel, size_t tokens,
                    const TokenOutput& to) {
#define ESPALIER_TOKENS(kTokens)                                            \
  if constexpr (kTokens <= kTokenTile) {                                    \
    if (tokens <= kTokens || kTokens == kTokenTile) {                       \
      TokenStrip<Value, kTokens, kDense>(w, row_begin, row_end, panel, to); \
      return tokens < kTokens ? tokens : kTokens;                           \
    }                                                                       \
  }
  ESPALIER_TOKENS(1)
  ESPALIER_TOKENS(2)
  ESPALIER_TOKENS(4)
  ESPALIER_TOKENS(6)
  ESPALIER_TOKENS(8)
  ESPALIER_TOKENS(12)
  ESPALIER_TOKENS(16)
  ESPALIER_TOKENS(20)
  ESPALIER_TOKENS(24)
#undef ESPALIER_TOKENS
  return tokens;
}

template <typename Value, bool kDense>
void TokenStrips(const BlockMatrix& w, size_t row_begin, size_t row_end, const Panel& panel, size_t width,
                 float* out, size_t out_stride, const Epilogue& e) {
  size_t strips = (width + kTokenTile - 1) / kTokenTile;
  for (size_t t = 0; strips > 0; --strips) {
    const size_t tokens = (width - t + strips - 1) / strips;  // nearly equal strips
    const TokenOutput to = {out + t * out_stride, out_stride, tokens,
                            e.residual == nullptr ? nullptr : e.residual + t * e.residual_stride, &e};
    t += TokenTileFor<Value, kDense>(w, row_begin, row_end, Panel{panel.data + t, panel.rows, panel.stride},
                                     tokens, to);
  }
}

void token_matmul_block16(const BlockMatrix& w, size_t row_begin, size_t row_end, const Panel& panel,
                          size_t width, float* out, size_t out_stride, const Epilogue& epilogue) noexcept {
  const bool dense = w.columns == nullptr;
  if (w.values.half) {
    if (dense) return TokenStrips<Half, true>(w, row_begin, row_end, panel, width, out, out_stride, epilogue);
    return TokenStrips<Half, false>(w, row_begin, row_end, panel, width, out, out_stride, epilogue);
  }
  if (dense) return TokenStrips<float, true>(w, row_begin, row_end, panel, width, out, out_stride, epilogue);
  TokenStrips<float, false>(w, row_begin, row_end, panel, width, out, out_stride, epilogue);
}
