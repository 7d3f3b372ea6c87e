#pragma once

#include <napi.h>

namespace espalier {

// (bytes, format, storage, rows, cols, offset, rowStride, colStride) -> packed weights: { format, storage,
// rows, cols, blockCols, chunkRows, sections: { name: Uint8Array } }
Napi::Value PackWeights(const Napi::CallbackInfo& info);

// (packed weights) -> Float32Array, row-major [rows, cols]. Trusts nothing in the sections.
Napi::Value UnpackWeights(const Napi::CallbackInfo& info);

}  // namespace espalier
