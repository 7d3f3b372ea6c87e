// What vec_test.cc asks of each Vec vocabulary, as functions on plain memory. Included after a vec_*.h, in
// the region of its instruction set.

constexpr size_t kProbeLanes = kLanes;

// y[i] = the half-precision number x[i], for n a multiple of kLanes.
inline void ProbeLoadHalf(const uint16_t* x, float* y, size_t n) {
  for (size_t i = 0; i < n; i += kLanes) Store(y + i, LoadHalf(x + i));
}

// Of one vector: Min(limit, x), then Max(limit, x).
inline void ProbeLimits(const float* limit, const float* x, float* y) {
  Store(y, Min(Load(limit), Load(x)));
  Store(y + kLanes, Max(Load(limit), Load(x)));
}

// Of one vector: Less(a, b), Equal(a, b), IsNaN(a), each as 1 or 0.
inline void ProbeComparisons(const float* a, const float* b, float* y) {
  const Vec one = Set1(1.0f);
  Store(y, Select(Less(Load(a), Load(b)), one, Zero()));
  Store(y + kLanes, Select(Equal(Load(a), Load(b)), one, Zero()));
  Store(y + 2 * kLanes, Select(IsNaN(Load(a)), one, Zero()));
}

// LoadN of x, then KeepN and SelectN of whole vectors, at y and one and two vectors later.
inline void ProbeFirstLanes(const float* x, size_t n, const float* yes, const float* no, float* y) {
  Store(y, LoadN(x, n));
  Store(y + kLanes, KeepN(Load(yes), n));
  Store(y + 2 * kLanes, SelectN(n, Load(yes), Load(no)));
}

inline void ProbeStoreN(const float* x, size_t n, float* y) { StoreN(y, Load(x), n); }

// SwapLanes<1>, <2>, <4>, ... of one vector; each result is kLanes floats. Gives how many there are.
inline size_t ProbeSwapLanes(const float* x, float* y) {
  size_t count = 0;
  if constexpr (kLanes > 1) Store(y + kLanes * count++, SwapLanes<1>(Load(x)));
  if constexpr (kLanes > 2) Store(y + kLanes * count++, SwapLanes<2>(Load(x)));
  if constexpr (kLanes > 4) Store(y + kLanes * count++, SwapLanes<4>(Load(x)));
  if constexpr (kLanes > 8) Store(y + kLanes * count++, SwapLanes<8>(Load(x)));
  return count;
}
