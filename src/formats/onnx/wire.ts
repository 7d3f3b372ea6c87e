import type { WireInt64 } from './schema.js';

/** The 64-bit integer of a decoded field; 0 when the field is absent, as protobuf defaults it. */
export function toBigInt(value: WireInt64 | undefined): bigint {
  if (value === undefined) return 0n;
  const high = value.unsigned === true ? value.high >>> 0 : value.high | 0;
  return (BigInt(high) << 32n) | BigInt(value.low >>> 0);
}

/** The halves protobufjs writes for `value`, taken modulo 2^64. */
export function fromBigInt(value: bigint): WireInt64 {
  return {
    low: Number(BigInt.asIntN(32, value)),
    high: Number(BigInt.asIntN(32, value >> 32n)),
    unsigned: false,
  };
}

/** AttributeProto.AttributeType codes. */
export const attributeCodes = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  tensors: 9,
  graphs: 10,
  sparse_tensor: 11,
  sparse_tensors: 12,
  type_proto: 13,
  type_protos: 14,
} as const;

/** TensorProto.DataLocation: the bytes are in another file. */
export const externalLocation = 1;

/** The default domain has two spellings (https://github.com/onnx/onnx/blob/main/docs/IR.md). */
export function canonicalDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain;
}
