#include "addon/linalg.h"

#if defined(__linux__)
#include <malloc.h>
#endif

#include <initializer_list>
#include <string>
#include <type_traits>

#include "addon/async_work.h"
#include "addon/convert.h"
#include "core/sizes.h"
#include "isa/isa.h"
#include "linalg/admm.h"
#include "linalg/lent_triangle.h"
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
  double Number(const char* name) const {
    const Napi::Value value = object_.Get(name);
    if (value.IsNumber()) return value.As<Napi::Number>().DoubleValue();
    throw Error(ErrorCode::kArgument, std::string("Expected ") + name + " to be a number");
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

// Lets large memory go back to the system when it is freed. By default the C library raises the size from
// which it does so with every matrix that is freed, and holds them in parts that those of the next layer do
// not fit: a process that prunes would take twice the memory it uses.
void KeepNoFreeMemory() {
#if defined(__GLIBC__)
  constexpr int kLeast = 1 << 17;  // bytes: activations of a layer too
  static const int done = mallopt(M_MMAP_THRESHOLD, kLeast);
  static_cast<void>(done);
#endif
}

// { x, y, rows, xCols, yCols, product, isa, threads }: product[xCols, yCols] += x^T y, of x[rows, xCols] and
// y[rows, yCols]; the lower triangle alone where y is x.
Napi::Value AddCrossProduct(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    KeepNoFreeMemory();
    const Arguments given(info);
    const size_t rows = given.Size("rows");
    const size_t x_cols = given.Positive("xCols");
    const size_t y_cols = given.Positive("yCols");
    const float* x = given.Floats("x", {rows, x_cols});
    const float* y = given.Floats("y", {rows, y_cols});
    double* product = given.Doubles("product", {x_cols, y_cols});
    return AsyncWork::Start(given.object(), [=, &kernels = given.Kernels(), threads = given.Threads()] {
      ThreadTeam team(threads);
      Solver solver(kernels, &team, y_cols);
      const bool lower = x == y && x_cols == y_cols;
      solver.MultiplyAdd<float>({x_cols, rows, y_cols, lower}, 1, {x, 1, x_cols}, {y, y_cols, 1}, product,
                                y_cols);
    });
  });
}

// { a, b, product, rows, depth, cols, isa, threads }: product[rows, cols] += a[rows, depth] b[depth, cols],
// or b^T, of b[cols, depth].
template <typename T, bool kTransposed>
Napi::Value AddProductOf(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const Arguments given(info);
    const size_t rows = given.Positive("rows");
    const size_t depth = given.Positive("depth");
    const size_t cols = given.Positive("cols");
    constexpr auto type = std::is_same_v<T, float> ? napi_float32_array : napi_float64_array;
    const T* a = given.Array<T>("a", type, {rows, depth});
    const T* b = given.Array<T>("b", type, {depth, cols});
    const View<T> right = kTransposed ? View<T>{b, 1, depth} : View<T>{b, cols, 1};
    double* product = given.Doubles("product", {rows, cols});
    return AsyncWork::Start(given.object(), [=, &kernels = given.Kernels(), threads = given.Threads()] {
      ThreadTeam team(threads);
      Solver solver(kernels, &team, cols);
      solver.MultiplyAdd<T>({rows, depth, cols, false}, 1, {a, depth, 1}, right, product, cols);
    });
  });
}

[[noreturn]] void NotDefinite() {
  throw Error(ErrorCode::kArgument, "Expected a positive definite matrix of the layer's inputs, got none");
}

// What methods that choose masks take: { weights, gram, damping, rows, cols, unitRows, unitCols, kept, of,
// removals, removed }.
struct MaskTask {
  explicit MaskTask(const Arguments& given) {
    grid.rows = given.Positive("rows");
    grid.cols = given.Positive("cols");
    grid.unit = {given.Positive("unitRows"), given.Positive("unitCols"), given.Size("kept"),
                 given.Size("of")};
    if (grid.unit.of != 0 && (grid.unit.rows * grid.unit.cols != 1 || grid.unit.kept > grid.unit.of))
      throw Error(ErrorCode::kArgument, "Expected N:M with N at most M, in units of one weight");
    removals = given.Size("removals");
    if (removals > MultiplySizes(grid.unit_rows(), grid.unit_cols()))
      throw Error(ErrorCode::kArgument, "Expected at most as many removals as units");
    weights = given.Doubles("weights", {grid.rows, grid.cols});
    removed = given.Bytes("removed", {grid.unit_rows(), grid.unit_cols()});
    gram = given.Doubles("gram", {grid.cols, grid.cols});
    damping = given.Number("damping");
  }
  UnitGrid grid;
  size_t removals;
  double* weights;
  uint8_t* removed;
  double* gram;
  double damping;
};

// A MaskTask, isa and threads: see SparseGptTask.
Napi::Value PruneSparseGpt(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const Arguments given(info);
    const MaskTask task(given);
    return AsyncWork::Start(given.object(), [=, &kernels = given.Kernels(), threads = given.Threads()] {
      ThreadTeam team(threads);
      Solver solver(kernels, &team, task.grid.cols);
      const size_t cols = task.grid.cols;
      const LentTriangle gram(task.gram, cols);
      for (size_t i = 0; i < cols; ++i) gram.data()[i * cols + i] += task.damping;
      if (!solver.FactorInverse(gram.data(), cols, cols)) NotDefinite();
      SparseGpt({task.weights, task.grid, gram.data(), task.removals, task.removed}, solver);
    });
  });
}

// A MaskTask, isa and threads: see AdmmTask. Only writes `removed`.
Napi::Value ChooseByAdmm(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const Arguments given(info);
    const MaskTask task(given);
    return AsyncWork::Start(given.object(), [=, &kernels = given.Kernels(), threads = given.Threads()] {
      ThreadTeam team(threads);
      Solver solver(kernels, &team, task.grid.cols);
      if (!AdmmMask({task.weights, task.gram, task.damping, task.grid, task.removals, task.removed}, solver))
        NotDefinite();
    });
  });
}

// { gram, ridge, target, kept, weights, rows, cols, isa, threads }: see RefitTask.
Napi::Value RefitWeights(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const Arguments given(info);
    RefitTask task{};
    task.rows = given.Positive("rows");
    task.cols = given.Positive("cols");
    task.gram = given.Doubles("gram", {task.cols, task.cols});
    task.ridge = given.Number("ridge");
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
  exports.Set("addOuterProduct", Napi::Function::New<AddProductOf<float, true>>(env));
  exports.Set("addProduct", Napi::Function::New<AddProductOf<double, false>>(env));
  exports.Set("pruneSparseGpt", Napi::Function::New<PruneSparseGpt>(env));
  exports.Set("chooseByAdmm", Napi::Function::New<ChooseByAdmm>(env));
  exports.Set("refitWeights", Napi::Function::New<RefitWeights>(env));
}

}  // namespace espalier
