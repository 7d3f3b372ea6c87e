// What vec_test.cc asks of each Vec vocabulary, as functions on plain memory. Included after a vec_*.h, in
// the region of its instruction set.

// y[i] = the half-precision number x[i], for n a multiple of kLanes.
inline void ProbeLoadHalf(const uint16_t* x, float* y, size_t n) {
  for (size_t i = 0; i < n; i += kLanes) Store(y + i, LoadHalf(x + i));
}
