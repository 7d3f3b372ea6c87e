#pragma once

#include <napi.h>

namespace espalier {

// (bytes, format, storage, rows, cols, offset, rowStride, colStride) -> packed weights: { format, storage,
// rows, cols, blockCols, chunkRows, sections: { name: Uint8Array } }
Napi::Value PackWeights(const Napi::CallbackInfo& info);

// (packed weights, Float32Array [rows, cols] to write to). Trusts nothing in the sections.
Napi::Value UnpackWeights(const Napi::CallbackInfo& info);

// (packed weights) -> their columns as formats/column_gaps.h writes them: the section "gaps" in the place of
// "columns".
Napi::Value ColumnGaps(const Napi::CallbackInfo& info);

}  // namespace espalier
