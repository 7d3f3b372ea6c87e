// Elementary functions on Vec. Polynomials are minimax fits made for this file (weighted least squares in 40
// digits, reweighted to equal ripple); each comment gives the interval and the error of the polynomial alone.
// Splittings follow W. J. Cody and W. Waite, "Software Manual for the Elementary Functions", 1980.

constexpr float kLog2E = 1.442695041f;
constexpr float kLn2High = 0.693359375f;  // 10 bits: products with an exponent are exact
constexpr float kLn2Low = -2.12194440e-4f;
constexpr float kInfinity = __builtin_inff();
constexpr float kSmallestNormal = 1.17549435e-38f;

// n = round(x / ln 2) and exp(r) - 1 for the rest r = x - n ln 2 in [-0.35, 0.35]; error 1.4e-8.
ESPALIER_INLINE void SplitExp(Vec x, Vec* n, Vec* expm1) {
  *n = RoundEven(Mul(x, Set1(kLog2E)));
  const Vec r = Fnma(*n, Set1(kLn2Low), Fnma(*n, Set1(kLn2High), x));
  Vec q = Set1(1.394759514e-03f);
  q = Fma(q, r, Set1(8.367246948e-03f));
  q = Fma(q, r, Set1(4.166626558e-02f));
  q = Fma(q, r, Set1(1.666653752e-01f));
  q = Fma(q, r, Set1(0.5f));
  *expm1 = Fma(Mul(q, r), r, r);
}

ESPALIER_INLINE Vec Exp(Vec x) {
  const Vec clamped = Min(Set1(89.0f), Max(Set1(-105.0f), x));  // exp is infinite, or zero, beyond
  Vec n;
  Vec p;
  SplitExp(clamped, &n, &p);
  return ScaleByPow2(Add(p, Set1(1.0f)), n);
}

// exp(x) - 1 for x <= 0, without cancellation near 0.
ESPALIER_INLINE Vec Expm1Negative(Vec x) {
  Vec n;
  Vec p;
  SplitExp(Max(Set1(-30.0f), x), &n, &p);
  const Vec power = ScaleByPow2(Set1(1.0f), n);
  return Fma(power, p, Sub(power, Set1(1.0f)));
}

// log(1 + f) for f in [sqrt(1/2) - 1, sqrt(2) - 1], plus e ln 2; error 5.8e-9.
ESPALIER_INLINE Vec Log1pPlusExponent(Vec f, Vec e) {
  Vec q = Set1(-7.634518296e-02f);
  q = Fma(q, f, Set1(1.276167333e-01f));
  q = Fma(q, f, Set1(-1.316021979e-01f));
  q = Fma(q, f, Set1(1.420174837e-01f));
  q = Fma(q, f, Set1(-1.662335247e-01f));
  q = Fma(q, f, Set1(2.000122666e-01f));
  q = Fma(q, f, Set1(-2.500082254e-01f));
  q = Fma(q, f, Set1(3.333333135e-01f));
  const Vec f2 = Mul(f, f);
  Vec tail = Mul(Mul(q, f), f2);
  tail = Fma(e, Set1(kLn2Low), tail);
  tail = Fnma(Set1(0.5f), f2, tail);
  return Fma(e, Set1(kLn2High), Add(f, tail));
}

ESPALIER_INLINE Vec Log(Vec x) {
  const Mask tiny = Less(x, Set1(kSmallestNormal));
  const Vec scaled = Select(tiny, Mul(x, Set1(8388608.0f)), x);  // 2^23: denormals become normal
  Vec m;
  Vec e;
  SplitExponent(scaled, &m, &e);
  e = Sub(e, Select(tiny, Set1(23.0f), Zero()));
  Vec y = Log1pPlusExponent(Sub(m, Set1(1.0f)), e);
  y = Select(Equal(x, Set1(kInfinity)), x, y);
  y = Select(Equal(x, Zero()), Set1(-kInfinity), y);
  y = Select(Less(x, Zero()), Set1(__builtin_nanf("")), y);
  return Select(IsNaN(x), x, y);
}

// log(1 + z) for z in [0, 1]: the rounding error of 1 + z is added back.
ESPALIER_INLINE Vec Log1pUnit(Vec z) {
  const Vec one = Set1(1.0f);
  const Vec u = Add(one, z);
  Vec m;
  Vec e;
  SplitExponent(u, &m, &e);
  return Add(Log1pPlusExponent(Sub(m, one), e), Div(Sub(z, Sub(u, one)), u));
}

ESPALIER_INLINE Vec Erf(Vec x) {
  const Vec a = Abs(x);
  const Vec t = Mul(x, x);
  // |x| < 0.92: x P(x^2); error 4e-10.
  Vec p = Set1(8.409920702e-05f);
  p = Fma(p, t, Set1(-8.152627852e-04f));
  p = Fma(p, t, Set1(5.201960448e-03f));
  p = Fma(p, t, Set1(-2.685979940e-02f));
  p = Fma(p, t, Set1(1.128370315e-01f));
  p = Fma(p, t, Set1(-3.761263490e-01f));
  p = Fma(p, t, Set1(1.128379226e+00f));
  // |x| in [0.92, 4]: 1 - exp(-G(|x|)) with G = -log erfc; error 6e-11. 1 - erf(4) is below half a unit of 1.
  const Vec b = Min(Set1(4.0f), a);
  Vec g = Set1(2.082862193e-05f);
  g = Fma(g, b, Set1(-4.313935933e-04f));
  g = Fma(g, b, Set1(4.156255163e-03f));
  g = Fma(g, b, Set1(-2.508061752e-02f));
  g = Fma(g, b, Set1(1.082203835e-01f));
  g = Fma(g, b, Set1(6.334008574e-01f));
  g = Fma(g, b, Set1(1.129488349e+00f));
  g = Fma(g, b, Set1(-1.692051737e-04f));
  const Vec far = CopySign(Sub(Set1(1.0f), Exp(Neg(g))), x);
  return Select(Less(a, Set1(0.92f)), Mul(x, p), Select(IsNaN(x), x, far));
}

ESPALIER_INLINE Vec Tanh(Vec x) {
  const Vec a = Abs(x);
  const Vec t = Mul(x, x);
  // |x| < 0.625: x + x^3 Q(x^2); error 4e-9.
  Vec q = Set1(-5.714678206e-03f);
  q = Fma(q, t, Set1(2.064856514e-02f));
  q = Fma(q, t, Set1(-5.374291167e-02f));
  q = Fma(q, t, Set1(1.333148479e-01f));
  q = Fma(q, t, Set1(-3.333328366e-01f));
  const Vec near = Fma(Mul(q, t), x, x);
  const Vec e = Exp(Add(a, a));
  const Vec far = Sub(Set1(1.0f), Div(Set1(2.0f), Add(e, Set1(1.0f))));
  return Select(Less(a, Set1(0.625f)), near, Select(IsNaN(x), x, CopySign(far, x)));
}

ESPALIER_INLINE Vec Sigmoid(Vec x) { return Div(Set1(1.0f), Add(Set1(1.0f), Exp(Neg(x)))); }

// max(x, 0) + log(1 + exp(-|x|)): nothing overflows, and exp(x) stays exact far below zero.
ESPALIER_INLINE Vec Softplus(Vec x) { return Add(Max(Zero(), x), Log1pUnit(Exp(Neg(Abs(x))))); }

// x tanh(log(1 + e)) with e = exp(x) is x e (e + 2) / (e (e + 2) + 2).
ESPALIER_INLINE Vec Mish(Vec x) {
  const Vec e = Exp(Min(Set1(20.0f), x));  // the quotient is 1 beyond
  const Vec n = Mul(e, Add(e, Set1(2.0f)));
  return Mul(x, Div(n, Add(n, Set1(2.0f))));
}

// x Phi(x), with Phi(-a) = exp(-G(a)) for a = |x|: G = -log(erfc(a / sqrt 2) / 2) on [0, 5.54], where the
// error of Phi is 5e-8. Beyond, 1 + erf(-a / sqrt 2) is zero in float32, and so is Phi here.
ESPALIER_INLINE Vec GeluErf(Vec x) {
  constexpr float kEnd = 5.54f;
  constexpr float kFall = 1e4f;
  const Vec a = Abs(x);
  const Vec b = Min(Set1(kEnd), a);
  // In pairs (G. Estrin, "Organization of computer systems: the fixed plus variable structure computer",
  // 1960): one chain of ten multiply-adds would be what the processor waits for.
  const Vec b2 = Mul(b, b);
  const Vec g01 = Fma(b, Set1(7.978903055e-01f), Set1(6.931470633e-01f));
  const Vec g23 = Fma(b, Set1(3.651360795e-02f), Set1(3.182571828e-01f));
  const Vec g45 = Fma(b, Set1(2.173237590e-04f), Set1(-5.071092397e-03f));
  const Vec g67 = Fma(b, Set1(-2.137060255e-05f), Set1(8.650349628e-05f));
  const Vec g89 = Fma(b, Set1(-8.354892600e-08f), Set1(2.133006319e-06f));
  const Vec b4 = Mul(b2, b2);
  const Vec g4 = Fma(Fma(g89, b2, g67), b2, g45);
  const Vec g = Fma(g4, b4, Fma(g23, b2, g01));
  const Vec lower = Exp(Fnma(Set1(kFall), Sub(a, b), Neg(g)));
  const Vec phi = Select(Less(x, Zero()), lower, Sub(Set1(1.0f), lower));
  return Mul(x, phi);
}

// 0.5 x (1 + tanh(u)) is x sigmoid(2 u).
ESPALIER_INLINE Vec GeluTanh(Vec x) {
  const Vec cubic = Fma(Mul(x, x), Mul(x, Set1(0.044715f)), x);
  const Vec e = Exp(Mul(cubic, Set1(-1.595769122f)));  // -2 sqrt(2 / pi)
  return Div(x, Add(Set1(1.0f), e));
}
