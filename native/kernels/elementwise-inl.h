// Row kernels: one value in, one value out.

// Operators on Vec. Functors, not lambdas: a lambda does not take the instruction set of its region.
struct UnaryArguments {
  Vec alpha;
  Vec beta;
};

#define ESPALIER_UNARY(Name, expression)                                                                     \
  struct Name {                                                                                              \
    static ESPALIER_INLINE Vec Apply(Vec x, [[maybe_unused]] const UnaryArguments& k) { return expression; } \
  };
ESPALIER_UNARY(CopyOp, x)
ESPALIER_UNARY(AbsOp, Abs(x))
ESPALIER_UNARY(NegOp, Neg(x))
ESPALIER_UNARY(ReluOp, Max(Zero(), x))
ESPALIER_UNARY(ClipOp, Min(k.beta, Max(k.alpha, x)))
ESPALIER_UNARY(LeakyReluOp, Select(Less(x, Zero()), Mul(k.alpha, x), x))
ESPALIER_UNARY(EluOp, Select(Less(x, Zero()), Mul(k.alpha, Expm1Negative(Min(Zero(), x))), x))
ESPALIER_UNARY(SeluOp, Mul(k.beta, Select(Less(Zero(), x), x, Mul(k.alpha, Expm1Negative(Min(Zero(), x))))))
ESPALIER_UNARY(SigmoidOp, Sigmoid(x))
ESPALIER_UNARY(HardSigmoidOp, Min(Set1(1.0f), Max(Zero(), Fma(k.alpha, x, k.beta))))
ESPALIER_UNARY(HardSwishOp, Mul(x, Min(Set1(1.0f), Max(Zero(), Fma(x, Set1(1.0f / 6.0f), Set1(0.5f))))))
ESPALIER_UNARY(SiluOp, Div(x, Add(Set1(1.0f), Exp(Neg(x)))))
ESPALIER_UNARY(TanhOp, Tanh(x))
ESPALIER_UNARY(ErfOp, Erf(x))
ESPALIER_UNARY(GeluErfOp, GeluErf(x))
ESPALIER_UNARY(GeluTanhOp, GeluTanh(x))
ESPALIER_UNARY(SoftplusOp, Softplus(x))
ESPALIER_UNARY(MishOp, Mish(x))
ESPALIER_UNARY(ExpOp, Exp(x))
ESPALIER_UNARY(LogOp, Log(x))
ESPALIER_UNARY(SqrtOp, Sqrt(x))
ESPALIER_UNARY(ReciprocalOp, Div(Set1(1.0f), x))
ESPALIER_UNARY(FloorOp, Floor(x))
ESPALIER_UNARY(CeilOp, Ceil(x))
ESPALIER_UNARY(RoundOp, RoundEven(x))
ESPALIER_UNARY(AffineOp, Fma(k.alpha, x, k.beta))
#undef ESPALIER_UNARY

template <typename Op>
void MapUnary(float alpha, float beta, const float* x, float* y, size_t n) {
  const UnaryArguments k = {Set1(alpha), Set1(beta)};
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(y + i, Op::Apply(Load(x + i), k));
  if (i < n) StoreN(y + i, Op::Apply(LoadN(x + i, n - i), k), n - i);
}

void unary(UnaryOp op, float alpha, float beta, const float* x, float* y, size_t n) noexcept {
  switch (op) {
#define ESPALIER_CASE(Name) \
  case UnaryOp::k##Name:    \
    return MapUnary<Name##Op>(alpha, beta, x, y, n);
    ESPALIER_CASE(Copy)
    ESPALIER_CASE(Abs)
    ESPALIER_CASE(Neg)
    ESPALIER_CASE(Relu)
    ESPALIER_CASE(Clip)
    ESPALIER_CASE(LeakyRelu)
    ESPALIER_CASE(Elu)
    ESPALIER_CASE(Selu)
    ESPALIER_CASE(Sigmoid)
    ESPALIER_CASE(HardSigmoid)
    ESPALIER_CASE(HardSwish)
    ESPALIER_CASE(Silu)
    ESPALIER_CASE(Tanh)
    ESPALIER_CASE(Erf)
    ESPALIER_CASE(GeluErf)
    ESPALIER_CASE(GeluTanh)
    ESPALIER_CASE(Softplus)
    ESPALIER_CASE(Mish)
    ESPALIER_CASE(Exp)
    ESPALIER_CASE(Log)
    ESPALIER_CASE(Sqrt)
    ESPALIER_CASE(Reciprocal)
    ESPALIER_CASE(Floor)
    ESPALIER_CASE(Ceil)
    ESPALIER_CASE(Round)
    ESPALIER_CASE(Affine)
#undef ESPALIER_CASE
    case UnaryOp::kCount:
      return;
  }
}

// The larger or smaller of two data values; NaN when either is.
ESPALIER_INLINE Vec MaxOfData(Vec a, Vec b) { return Select(IsNaN(a), a, Max(a, b)); }
ESPALIER_INLINE Vec MinOfData(Vec a, Vec b) { return Select(IsNaN(a), a, Min(a, b)); }

#define ESPALIER_BINARY(Name, expression)                                                  \
  struct Name {                                                                            \
    static ESPALIER_INLINE Vec Apply(Vec a, [[maybe_unused]] Vec b) { return expression; } \
  };
ESPALIER_BINARY(AddOp, Add(a, b))
ESPALIER_BINARY(SubOp, Sub(a, b))
ESPALIER_BINARY(MulOp, Mul(a, b))
ESPALIER_BINARY(DivOp, Div(a, b))
ESPALIER_BINARY(MinOp, MinOfData(a, b))
ESPALIER_BINARY(MaxOp, MaxOfData(a, b))
ESPALIER_BINARY(PReluOp, Select(Less(a, Zero()), Mul(a, b), a))
// pow(-0, 0.5) is +0 and pow(-infinity, 0.5) is +infinity, unlike sqrt.
ESPALIER_BINARY(PowHalfOp, Select(Equal(a, Neg(b)), b, Add(Sqrt(a), Zero())))  // b is infinity
ESPALIER_BINARY(SquareOp, Mul(a, a))
ESPALIER_BINARY(CubeOp, Mul(a, Mul(a, a)))
#undef ESPALIER_BINARY

template <typename Op>
void MapBinary(const float* a, int a_step, const float* b, int b_step, float* y, size_t n) {
  if (n == 0) return;
  const Vec a0 = Set1(*a);
  const Vec b0 = Set1(*b);
  size_t i = 0;
  if (a_step != 0 && b_step != 0) {
    for (; i + kLanes <= n; i += kLanes) Store(y + i, Op::Apply(Load(a + i), Load(b + i)));
  } else if (a_step != 0) {
    for (; i + kLanes <= n; i += kLanes) Store(y + i, Op::Apply(Load(a + i), b0));
  } else if (b_step != 0) {
    for (; i + kLanes <= n; i += kLanes) Store(y + i, Op::Apply(a0, Load(b + i)));
  } else {
    const Vec value = Op::Apply(a0, b0);
    for (; i + kLanes <= n; i += kLanes) Store(y + i, value);
  }
  if (i == n) return;
  const size_t rest = n - i;
  const Vec a_rest = a_step != 0 ? LoadN(a + i, rest) : a0;
  const Vec b_rest = b_step != 0 ? LoadN(b + i, rest) : b0;
  StoreN(y + i, Op::Apply(a_rest, b_rest), rest);
}

// C's pow, which ONNX asks for; the exponents models have take a few instructions.
inline void Power(const float* a, int a_step, const float* b, int b_step, float* y, size_t n) {
  if (b_step == 0 && n > 0) {
    const float infinity = kInfinity;
    if (*b == 2.0f) return MapBinary<SquareOp>(a, a_step, b, 0, y, n);
    if (*b == 3.0f) return MapBinary<CubeOp>(a, a_step, b, 0, y, n);
    if (*b == 0.5f) return MapBinary<PowHalfOp>(a, a_step, &infinity, 0, y, n);
  }
  const float a0 = n > 0 ? *a : 0.0f;  // y may be a or b
  const float b0 = n > 0 ? *b : 0.0f;
  for (size_t i = 0; i < n; ++i) y[i] = __builtin_powf(a_step != 0 ? a[i] : a0, b_step != 0 ? b[i] : b0);
}

void binary(BinaryOp op, const float* a, int a_step, const float* b, int b_step, float* y,
            size_t n) noexcept {
  switch (op) {
    case BinaryOp::kAdd:
      return MapBinary<AddOp>(a, a_step, b, b_step, y, n);
    case BinaryOp::kSub:
      return MapBinary<SubOp>(a, a_step, b, b_step, y, n);
    case BinaryOp::kMul:
      return MapBinary<MulOp>(a, a_step, b, b_step, y, n);
    case BinaryOp::kDiv:
      return MapBinary<DivOp>(a, a_step, b, b_step, y, n);
    case BinaryOp::kMin:
      return MapBinary<MinOp>(a, a_step, b, b_step, y, n);
    case BinaryOp::kMax:
      return MapBinary<MaxOp>(a, a_step, b, b_step, y, n);
    case BinaryOp::kPow:
      return Power(a, a_step, b, b_step, y, n);
    case BinaryOp::kPRelu:
      return MapBinary<PReluOp>(a, a_step, b, b_step, y, n);
    case BinaryOp::kCount:
      return;
  }
}
