#include "addon/convert.h"

#include "core/error.h"

namespace espalier {
namespace {

[[noreturn]] void Mismatch(const char* what, const char* expected) {
  throw Error(ErrorCode::kArgument, std::string("Expected ") + what + " to be " + expected);
}

Napi::Array ToArray(const Napi::Value& value, const char* what) {
  if (!value.IsArray()) Mismatch(what, "an array");
  return value.As<Napi::Array>();
}

double ToNumber(const Napi::Value& value, const char* what) {
  if (!value.IsNumber()) Mismatch(what, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

template <typename T, typename Convert>
std::vector<T> ToVector(const Napi::Value& value, const char* what, Convert convert) {
  const Napi::Array array = ToArray(value, what);
  std::vector<T> items;
  items.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) items.push_back(convert(array.Get(i), what));
  return items;
}

std::vector<size_t> ToSizes(const Napi::Value& value, const char* what) {
  return ToVector<size_t>(value, what, ToSize);
}

// { key: number | number[] }
template <typename T, typename Convert>
std::map<std::string, std::vector<T>> ToNumberMap(const Napi::Value& value, const char* what,
                                                  Convert convert) {
  const Napi::Object object = ToObject(value, what);
  const Napi::Array keys = object.GetPropertyNames();
  std::map<std::string, std::vector<T>> map;
  for (uint32_t i = 0; i < keys.Length(); ++i) {
    const std::string key = ToString(keys.Get(i), what);
    const Napi::Value entry = object.Get(key);
    map[key] = entry.IsNumber() ? std::vector<T>{convert(entry, what)} : ToVector<T>(entry, what, convert);
  }
  return map;
}

Space ToSpace(const std::string& name) {
  if (name == "arena") return Space::kArena;
  if (name == "input") return Space::kInput;
  if (name == "output") return Space::kOutput;
  if (name == "constant") return Space::kConstant;
  if (name == "planConstant") return Space::kPlanConstant;
  Mismatch("space", "arena, input, output, constant or planConstant");
}

TensorRef ToTensorRef(const Napi::Value& value, const char* what) {
  const Napi::Object object = ToObject(value, what);
  TensorRef tensor;
  tensor.space = ToSpace(ToString(object.Get("space"), "space"));
  tensor.index = ToSize(object.Get("index"), "index");
  tensor.offset = ToSize(object.Get("offset"), "offset");
  tensor.dtype = ParseDType(ToString(object.Get("type"), "type"));
  tensor.dims = ToSizes(object.Get("dims"), "dims");
  return tensor;
}

// As array.ByteLength(), which would ask the engine once more for every tensor of every run.
size_t ElementBytes(napi_typedarray_type type) {
  switch (type) {
    case napi_int16_array:
    case napi_uint16_array:
      return 2;
    case napi_int32_array:
    case napi_uint32_array:
    case napi_float32_array:
      return 4;
    case napi_float64_array:
    case napi_bigint64_array:
    case napi_biguint64_array:
      return 8;
    default:
      return 1;
  }
}

int64_t ToInteger(const Napi::Value& value, const char* what) {
  const double number = ToNumber(value, what);
  constexpr double kLargest = 9007199254740991.0;
  if (!(number >= -kLargest && number <= kLargest)) Mismatch(what, "integers that a number can hold");
  return static_cast<int64_t>(number);
}

StepSpec ToStepSpec(const Napi::Value& value, const char* what) {
  const Napi::Object object = ToObject(value, what);
  StepSpec step;
  step.op = ToString(object.Get("op"), "op");
  step.name = ToString(object.Get("name"), "name");
  step.inputs = ToVector<TensorRef>(object.Get("inputs"), "inputs", ToTensorRef);
  step.outputs = ToVector<TensorRef>(object.Get("outputs"), "outputs", ToTensorRef);
  step.ints = ToNumberMap<int64_t>(object.Get("ints"), "ints", ToInteger);
  step.floats = ToNumberMap<double>(object.Get("floats"), "floats", ToNumber);
  step.weights = ToSizes(object.Get("weights"), "weights");
  return step;
}

}  // namespace

Napi::Object ToObject(const Napi::Value& value, const char* what) {
  if (!value.IsObject()) Mismatch(what, "an object");
  return value.As<Napi::Object>();
}

WeightsArguments ToWeightsArguments(const Napi::CallbackInfo& info) {
  const ByteView bytes = ToBytes(info[0], "bytes");
  WeightsArguments weights{};
  weights.view.bytes = bytes.data;
  weights.view.byte_length = bytes.size;
  weights.format = ParseWeightFormat(ToString(info[1], "format"));
  weights.storage = ParseStorage(ToString(info[2], "storage"));
  weights.view.rows = ToSize(info[3], "rows");
  weights.view.cols = ToSize(info[4], "cols");
  weights.view.offset = ToSize(info[5], "offset");
  weights.view.row_stride = ToSize(info[6], "rowStride");
  weights.view.col_stride = ToSize(info[7], "colStride");
  return weights;
}

size_t ToSize(const Napi::Value& value, const char* what) {
  const double number = ToNumber(value, what);
  if (!(number >= 0 && number <= 9007199254740991.0) ||
      number != static_cast<double>(static_cast<size_t>(number))) {
    Mismatch(what, "a non-negative integer");
  }
  return static_cast<size_t>(number);
}

ByteRange ToByteRange(const Napi::Value& offset, const Napi::Value& size) {
  return {ToSize(offset, "offset"), ToSize(size, "size")};
}

PackedShape ToPackedShape(const Napi::Object& packed) {
  PackedShape shape;
  shape.format = ParseWeightFormat(ToString(packed.Get("format"), "format"));
  shape.storage = ParseStorage(ToString(packed.Get("storage"), "storage"));
  shape.rows = ToSize(packed.Get("rows"), "rows");
  shape.cols = ToSize(packed.Get("cols"), "cols");
  shape.block_cols = ToSize(packed.Get("blockCols"), "blockCols");
  shape.chunk_rows = ToSize(packed.Get("chunkRows"), "chunkRows");
  return shape;
}

std::string ToString(const Napi::Value& value, const char* what) {
  if (!value.IsString()) Mismatch(what, "a string");
  return value.As<Napi::String>().Utf8Value();
}

ByteView ToBytes(const Napi::Value& value, const char* what) {
  if (!value.IsTypedArray()) Mismatch(what, "a typed array");
  const Napi::TypedArray array = value.As<Napi::TypedArray>();
  void* data = nullptr;
  size_t length = 0;
  napi_typedarray_type type;
  // The plain call: node-addon-api's ArrayBuffer() refuses arrays on a SharedArrayBuffer.
  napi_status status = napi_get_typedarray_info(array.Env(), array, &type, &length, &data, nullptr, nullptr);
  if (status != napi_ok) Mismatch(what, "a typed array");
  return ByteView{static_cast<uint8_t*>(data), length * ElementBytes(type)};
}

PlanSpec ToPlanSpec(const Napi::Value& value) {
  const Napi::Object object = ToObject(value, "plan");
  PlanSpec plan;
  plan.arena_bytes = ToSize(object.Get("arenaBytes"), "arenaBytes");
  plan.input_bytes = ToSizes(object.Get("inputBytes"), "inputBytes");
  plan.output_bytes = ToSizes(object.Get("outputBytes"), "outputBytes");
  plan.constants = ToVector<std::vector<uint8_t>>(
      object.Get("constants"), "constants", [](const Napi::Value& v, const char* what) {
        const ByteView bytes = ToBytes(v, what);
        return std::vector<uint8_t>(bytes.data, bytes.data + bytes.size);
      });
  plan.steps = ToVector<StepSpec>(object.Get("steps"), "steps", ToStepSpec);
  return plan;
}

}  // namespace espalier
