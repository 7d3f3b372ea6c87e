import type { DataType } from '../tensor.js';

/** ONNX's TensorProto.DataType codes of the types espalier stores: in files, and in the `to` of Cast. */
export const codeOfType: { readonly [T in DataType]: number } = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
};

export const typeOfCode: ReadonlyMap<number, DataType> = new Map(
  Object.entries(codeOfType).map(([type, code]) => [code, type as DataType]),
);

/** Names of the codes espalier does not store, for messages. */
const foreignTypes: Readonly<Record<number, string>> = {
  0: 'undefined',
  8: 'string',
  14: 'complex64',
  15: 'complex128',
  17: 'float8e4m3fn',
  18: 'float8e4m3fnuz',
  19: 'float8e5m2',
  20: 'float8e5m2fnuz',
  21: 'uint4',
  22: 'int4',
  23: 'float4e2m1',
};

export function describeTypeCode(code: number): string {
  return typeOfCode.get(code) ?? foreignTypes[code] ?? `number ${code}`;
}
