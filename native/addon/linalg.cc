#include "addon/linalg.h"

#include <initializer_list>
#include <string>

#include "addon/async_work.h"
#include "addon/convert.h"
#include "core/sizes.h"
#include "isa/isa.h"
#include "linalg/refit.h"
#include "linalg/solver.h"
#include "linalg/sparse_gpt.h"

namespace espalier {
namespace {

// Reads the one object of arguments that a function takes.
class Arguments {
 public:
  explicit Arguments(const Napi::CallbackInfo& info) : object_(ToObject(info[0], "arguments")) {}

  const Napi::Object& object() const { return object_; }
  size_t Size(const char* name) const { return ToSize(object_.Get(name), name); }
  size_t Positive(const char* name) const {
    const size_t value = Size(name);
    if (value == 0) throw Error(ErrorCode::kArgument, std::string("Expected ") + name + " of at least 1");
    return value;
  }
  const KernelTable& Kernels() const { return SelectKernels(ToString(object_.Get("isa"), "isa")); }
  size_t Threads() const {
    const size_t threads = Positive("threads");
    constexpr size_t kMostThreads = 256;
    if (threads <= kMostThreads) return threads;
    throw Error(ErrorCode::kArgument, "Expected 1 to 256 threads, got " + std::to_string(threads));
  }

  // The elements of a typed array of `type`, of which there have to be as many as the sizes multiplied.
  template <typename T>
  T* Array(const char* name, napi_typedarray_type type, std::initializer_list<size_t> sizes) const {
    const Napi::Value value = object_.Get(name);
    const ByteView bytes = ToBytes(value, name);
    const size_t expected = MultiplySizes(MultiplyAll(sizes), sizeof(T));
    if (value.As<Napi::TypedArray>().TypedArrayType() != type || bytes.size != expected) {
      throw Error(ErrorCode::kShape, std::string("Expected ") + name + " of " + std::to_string(expected) +
                                         " bytes and its own type, got " + std::to_string(bytes.size));
    }
    return reinterpret_cast<T*>(bytes.data);
  }
  float* Floats(const char* name, std::initializer_list<size_t> sizes) const {
    return Array<float>(name, napi_float32_array, sizes);
  }
  double* Doubles(const char* name, std::initializer_list<size_t> sizes) const {
    return Array<double>(name, napi_float64_array, sizes);
  }
  uint8_t* Bytes(const char* name, std::initializer_list<size_t> sizes) const {
    return Array<uint8_t>(name, napi_uint8_array, sizes);
  }

 private:
  Napi::Object object_;
};

// { x, y, rows, cols, product, isa, threads }: product[cols, cols] += x^T y, of x[rows, cols] and y alike;
// the lower triangle alone where y is x.
Napi::Value AddCrossProduct(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const Arguments given(info);
    const size_t rows = given.Size("rows");
    const size_t cols = given.Positive("cols");
    const float* x = given.Floats("x", {rows, cols});
    const float* y = given.Floats("y", {rows, cols});
    double* product = given.Doubles("product", {cols, cols});
    return AsyncWork::Start(given.object(), [=, &kernels = given.Kernels(), threads = given.Threads()] {
      ThreadTeam team(threads);
      Solver solver(kernels, &team, cols);
      solver.MultiplyAdd<float>({cols, rows, cols, x == y}, 1, {x, 1, cols}, {y, cols, 1}, product, cols);
    });
  });
}

// { a, b, product, rows, depth, cols, isa, threads }: product[rows, cols] += a[rows, depth] b[depth, cols].
Napi::Value AddProduct(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const Arguments given(info);
    const size_t rows = given.Positive("rows");
    const size_t depth = given.Positive("depth");
    const size_t cols = given.Positive("cols");
    const double* a = given.Doubles("a", {rows, depth});
    const double* b = given.Doubles("b", {depth, cols});
    double* product = given.Doubles("product", {rows, cols});
    return AsyncWork::Start(given.object(), [=, &kernels = given.Kernels(), threads = given.Threads()] {
      ThreadTeam team(threads);
      Solver solver(kernels, &team, cols);
      solver.MultiplyAdd<double>({rows, depth, cols, false}, 1, {a, depth, 1}, {b, cols, 1}, product, cols);
    });
  });
}

[[noreturn]] void NotDefinite() {
  throw Error(ErrorCode::kArgument, "Expected a positive definite matrix of the layer's inputs, got none");
}

// { weights, gram, rows, cols, unitRows, unitCols, kept, of, removals, removed, isa, threads }: see
// SparseGptTask; gram is H with its damping.
Napi::Value PruneSparseGpt(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const Arguments given(info);
    SparseGptTask task{};
    task.rows = given.Positive("rows");
    task.cols = given.Positive("cols");
    task.unit = {given.Positive("unitRows"), given.Positive("unitCols"), given.Size("kept"),
                 given.Size("of")};
    if (task.unit.of != 0 && (task.unit.rows * task.unit.cols != 1 || task.unit.kept > task.unit.of))
      throw Error(ErrorCode::kArgument, "Expected N:M with N at most M, in units of one weight");
    const size_t unit_rows = (task.rows - 1) / task.unit.rows + 1;
    const size_t unit_cols = (task.cols - 1) / task.unit.cols + 1;
    task.removals = given.Size("removals");
    if (task.removals > unit_rows * unit_cols)
      throw Error(ErrorCode::kArgument, "Expected at most as many removals as units");
    task.weights = given.Doubles("weights", {task.rows, task.cols});
    task.removed = given.Bytes("removed", {unit_rows, unit_cols});
    const double* gram = given.Doubles("gram", {task.cols, task.cols});
    return AsyncWork::Start(given.object(), [=, &kernels = given.Kernels(), threads = given.Threads()] {
      ThreadTeam team(threads);
      Solver solver(kernels, &team, task.cols);
      AlignedBuffer<double> factor(MultiplySizes(task.cols, task.cols));
      if (!solver.InverseFactor(gram, factor.data(), task.cols)) NotDefinite();
      SparseGptTask ready = task;
      ready.factor = factor.data();
      SparseGpt(ready, solver);
    });
  });
}

// { gram, target, kept, weights, rows, cols, isa, threads }: see RefitTask.
Napi::Value RefitWeights(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const Arguments given(info);
    RefitTask task{};
    task.rows = given.Positive("rows");
    task.cols = given.Positive("cols");
    task.gram = given.Doubles("gram", {task.cols, task.cols});
    task.target = given.Doubles("target", {task.rows, task.cols});
    task.kept = given.Bytes("kept", {task.rows, task.cols});
    task.weights = given.Doubles("weights", {task.rows, task.cols});
    return AsyncWork::Start(given.object(), [=, &kernels = given.Kernels(), threads = given.Threads()] {
      ThreadTeam team(threads);
      if (!Refit(task, kernels, team)) NotDefinite();
    });
  });
}

}  // namespace

void DefineLinalg(Napi::Env env, Napi::Object exports) {
  exports.Set("addCrossProduct", Napi::Function::New<AddCrossProduct>(env));
  exports.Set("addProduct", Napi::Function::New<AddProduct>(env));
  exports.Set("pruneSparseGpt", Napi::Function::New<PruneSparseGpt>(env));
  exports.Set("refitWeights", Napi::Function::New<RefitWeights>(env));
}

}  // namespace espalier
