// The transforms of Winograd's minimal filtering F(4 x 4, 3 x 3), with the points 0, 1, -1, 2, -2 and
// infinity (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv 1509.09308). Lanes are
// tiles.

// B^T d of six values.
ESPALIER_INLINE void WinogradInputLine(const Vec* d, Vec* to) {
  const Vec two = Set1(2.0f);
  const Vec four = Set1(4.0f);
  const Vec five = Set1(5.0f);
  const Vec even4 = Fnma(four, d[2], d[4]);
  const Vec odd4 = Fnma(four, d[1], d[3]);
  const Vec even = Sub(d[4], d[2]);
  const Vec odd = Sub(d[3], d[1]);
  to[0] = Fma(four, d[0], Fnma(five, d[2], d[4]));
  to[1] = Add(even4, odd4);
  to[2] = Sub(even4, odd4);
  to[3] = Fma(two, odd, even);
  to[4] = Fnma(two, odd, even);
  to[5] = Fma(four, d[1], Fnma(five, d[3], d[5]));
}

// A^T m of six values.
ESPALIER_INLINE void WinogradOutputLine(const Vec* m, Vec* to) {
  const Vec sum12 = Add(m[1], m[2]);
  const Vec difference12 = Sub(m[1], m[2]);
  const Vec sum34 = Add(m[3], m[4]);
  const Vec difference34 = Sub(m[3], m[4]);
  to[0] = Add(Add(m[0], sum12), sum34);
  to[1] = Fma(Set1(2.0f), difference34, difference12);
  to[2] = Fma(Set1(4.0f), sum34, sum12);
  to[3] = Add(Fma(Set1(8.0f), difference34, difference12), m[5]);
}

void winograd_input(const float* x, size_t x_stride, size_t tiles, float* v, size_t v_stride) noexcept {
  for (size_t t = 0; t < tiles; t += kLanes) {
    Vec half[6][6];  // [column, row], after B along the rows
    ESPALIER_UNROLL
    for (size_t r = 0; r < 6; ++r) {
      const float* row = x + r * x_stride + 4 * t;
      Vec columns[8];
      LoadApart(row, columns);
      LoadApart(row + 4, columns + 4);  // the columns of the next tile: the fifth and the sixth of this one
      Vec line[6];
      WinogradInputLine(columns, line);
      ESPALIER_UNROLL
      for (size_t c = 0; c < 6; ++c) half[c][r] = line[c];
    }
    ESPALIER_UNROLL
    for (size_t c = 0; c < 6; ++c) {
      Vec line[6];
      WinogradInputLine(half[c], line);
      ESPALIER_UNROLL
      for (size_t r = 0; r < 6; ++r) Store(v + (6 * r + c) * v_stride + t, line[r]);
    }
  }
}

void winograd_output(const float* m, size_t m_stride, size_t tiles, float* y, size_t y_stride) noexcept {
  for (size_t t = 0; t < tiles; t += kLanes) {
    Vec half[4][6];  // [row, column], after A along the columns
    ESPALIER_UNROLL
    for (size_t c = 0; c < 6; ++c) {
      Vec column[6];
      ESPALIER_UNROLL
      for (size_t r = 0; r < 6; ++r) column[r] = Load(m + (6 * r + c) * m_stride + t);
      Vec line[4];
      WinogradOutputLine(column, line);
      ESPALIER_UNROLL
      for (size_t r = 0; r < 4; ++r) half[r][c] = line[r];
    }
    ESPALIER_UNROLL
    for (size_t r = 0; r < 4; ++r) {
      Vec line[4];
      WinogradOutputLine(half[r], line);
      StoreTogether(y + r * y_stride + 4 * t, line);
    }
  }
}
