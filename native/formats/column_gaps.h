#pragma once

#include "formats/packed_weights.h"

namespace espalier {

// A shorter form of the columns of block and SELL weights, for files. Columns in the order in which they lie,
// each as what it is past the one before it in its list, the first as what it is past 0. A list is a row of
// blocks, or a row of a slice. A number is a nibble, the low one of a byte first; 15 says that the next one
// is to be added. Where one weight of five is kept, a column takes 4.2 bits.

// Throws Error{kArgument} for another format and for columns that fall within a list.
AlignedBuffer<uint8_t> EncodeGaps(const PackedWeights& weights);

// Puts the columns in the place of the gaps. The sections may be anything: throws Error{kModel} unless the
// gaps are those of as many columns as there are values; the columns are not checked.
void DecodeGaps(const PackedShape& shape, PackedWeights::Sections& sections);

}  // namespace espalier
