import type { DataType } from '../../tensor.js';

/** The names safetensors gives to the types that espalier stores. */
export const dtypeOfType: { readonly [T in DataType]: string } = {
  float32: 'F32',
  float64: 'F64',
  float16: 'F16',
  bfloat16: 'BF16',
  int8: 'I8',
  uint8: 'U8',
  int16: 'I16',
  uint16: 'U16',
  int32: 'I32',
  uint32: 'U32',
  int64: 'I64',
  uint64: 'U64',
  bool: 'BOOL',
};

export const typeOfDtype: ReadonlyMap<string, DataType> = new Map(
  Object.entries(dtypeOfType).map(([type, dtype]) => [dtype, type as DataType]),
);
