import { EspalierError } from '../../errors.js';
import type { TensorData } from '../../graph/graph.js';
import type { UnpackedMemory } from '../unpacked_memory.js';
import type { AttributeProto, NodeProto } from './schema.js';
import { type ResolveExternal, readSparseTensor, readTensor } from './tensors.js';
import { toBigInt } from './wire.js';

/**
 * The value of a `Constant` node: exactly one attribute, named after its kind
 * (https://onnx.ai/onnx/operators/onnx__Constant.html). `'strings'` stands for values a Graph cannot hold.
 */
export function readConstantNode(
  proto: NodeProto,
  name: string,
  memory: UnpackedMemory,
  resolveExternal: ResolveExternal | undefined,
): TensorData | 'strings' {
  const [attribute, ...others] = proto.attribute ?? [];
  if (attribute === undefined || others.length > 0 || proto.output?.length !== 1) {
    throw new EspalierError(
      'ERR_ESPALIER_MODEL',
      `Expected Constant ${name} to have one attribute and one output, ` +
        `got ${proto.attribute?.length ?? 0} and ${proto.output?.length ?? 0}`,
    );
  }
  const what = `the value of Constant ${name}`;
  switch (attribute.name) {
    case 'value':
      return attribute.t?.data_type === 8 ? 'strings' : readTensor(attribute.t ?? {}, what, resolveExternal);
    case 'sparse_value':
      return readSparseTensor(attribute.sparse_tensor ?? {}, what, memory, resolveExternal);
    case 'value_float':
      return floats([attribute.f ?? 0], []);
    case 'value_floats':
      return floats(attribute.floats ?? [], [attribute.floats?.length ?? 0]);
    case 'value_int':
      return integers({ ints: attribute.i === undefined ? [] : [attribute.i] }, []);
    case 'value_ints':
      return integers(attribute, [attribute.ints?.length ?? 0]);
    case 'value_string':
    case 'value_strings':
      return 'strings';
    default:
      throw new EspalierError(
        'ERR_ESPALIER_MODEL',
        `Expected Constant ${name} to have a value attribute, got ${JSON.stringify(attribute.name ?? '')}`,
      );
  }
}

function floats(values: readonly number[], dims: readonly number[]): TensorData {
  return { type: 'float32', dims, bytes: new Uint8Array(Float32Array.from(values).buffer) };
}

function integers({ ints = [] }: Pick<AttributeProto, 'ints'>, dims: readonly number[]): TensorData {
  const data = new BigInt64Array(dims[0] ?? 1);
  ints.forEach((value, i) => {
    data[i] = toBigInt(value);
  });
  return { type: 'int64', dims, bytes: new Uint8Array(data.buffer) };
}
