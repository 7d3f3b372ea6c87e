#pragma once

#include <napi.h>

#include <string>

#include "formats/matrix_view.h"
#include "formats/model_file.h"
#include "runtime/plan_spec.h"

namespace espalier {

// Bytes that JavaScript owns, as a typed array shows them.
struct ByteView {
  uint8_t* data = nullptr;
  size_t size = 0;
};

// Readers of JavaScript values. Each throws Error{kArgument} that names `what` when the value is of another
// kind.
size_t ToSize(const Napi::Value& value, const char* what);
std::string ToString(const Napi::Value& value, const char* what);
ByteView ToBytes(const Napi::Value& value, const char* what);
PlanSpec ToPlanSpec(const Napi::Value& value);
ByteRange ToByteRange(const Napi::Value& offset, const Napi::Value& size);
// { format, storage, rows, cols, blockCols, chunkRows }
PackedShape ToPackedShape(const Napi::Object& packed);
Napi::Object ToObject(const Napi::Value& value, const char* what);

// (bytes, format, storage, rows, cols, offset, rowStride, colStride): a matrix in the caller's bytes, and how
// to pack it.
struct WeightsArguments {
  MatrixView view;
  WeightFormat format;
  Storage storage;
};
WeightsArguments ToWeightsArguments(const Napi::CallbackInfo& info);

}  // namespace espalier
