#include "addon/weights.h"

#include "addon/convert.h"
#include "addon/errors.h"
#include "core/error.h"
#include "core/sizes.h"
#include "formats/column_gaps.h"
#include "formats/packed_weights.h"

namespace espalier {
namespace {

Napi::Object ToPacked(Napi::Env env, const PackedWeights& weights) {
  const PackedShape& shape = weights.shape();
  const Napi::Object packed = Napi::Object::New(env);
  packed.Set("format", NameOf(shape.format));
  packed.Set("storage", NameOf(shape.storage));
  packed.Set("rows", static_cast<double>(shape.rows));
  packed.Set("cols", static_cast<double>(shape.cols));
  packed.Set("blockCols", static_cast<double>(shape.block_cols));
  packed.Set("chunkRows", static_cast<double>(shape.chunk_rows));
  const Napi::Object sections = Napi::Object::New(env);
  for (size_t i = 0; i < kSections; ++i) {
    const SharedBytes& section = weights.section(static_cast<Section>(i));
    if (section.empty()) continue;
    Napi::Uint8Array bytes = Napi::Uint8Array::New(env, section.size());
    std::memcpy(bytes.Data(), section.data(), section.size());
    sections.Set(NameOf(static_cast<Section>(i)), bytes);
  }
  packed.Set("sections", sections);
  return packed;
}

PackedWeights FromPacked(const Napi::Value& value) {
  const Napi::Object packed = ToObject(value, "packed weights");
  const PackedShape shape = ToPackedShape(packed);
  const Napi::Object given = ToObject(packed.Get("sections"), "sections");
  PackedWeights::Sections sections;
  for (size_t i = 0; i < kSections; ++i) {
    const char* name = NameOf(static_cast<Section>(i));
    const Napi::Value section = given.Get(name);
    if (section.IsUndefined()) continue;
    const ByteView bytes = ToBytes(section, name);
    AlignedBuffer<uint8_t> copy(bytes.size);
    if (bytes.size != 0) std::memcpy(copy.data(), bytes.data, bytes.size);
    sections[i] = std::move(copy);
  }
  return PackedWeights::FromSections(shape, std::move(sections));
}

}  // namespace

Napi::Value PackWeights(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const WeightsArguments weights = ToWeightsArguments(info);
    return ToPacked(info.Env(), PackedWeights::Pack(weights.view, weights.format, weights.storage));
  });
}

Napi::Value UnpackWeights(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const PackedWeights weights = FromPacked(info[0]);
    const ByteView dense = ToBytes(info[1], "matrix");
    const size_t bytes = MultiplyAll({weights.rows(), weights.cols(), sizeof(float)});
    if (dense.size != bytes || reinterpret_cast<uintptr_t>(dense.data) % sizeof(float) != 0) {
      throw Error(ErrorCode::kShape, "Expected a matrix of " + std::to_string(bytes) + " bytes, got " +
                                         std::to_string(dense.size));
    }
    weights.Unpack(reinterpret_cast<float*>(dense.data));
    return info.Env().Undefined();
  });
}

// (packed) -> the bytes of its gaps
Napi::Value ColumnGaps(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const AlignedBuffer<uint8_t> gaps = EncodeGaps(FromPacked(info[0]));
    Napi::Uint8Array bytes = Napi::Uint8Array::New(info.Env(), gaps.size());
    if (gaps.size() != 0) std::memcpy(bytes.Data(), gaps.data(), gaps.size());
    return bytes;
  });
}

}  // namespace espalier
