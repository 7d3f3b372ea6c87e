import { EspalierError } from '../errors.js';
import { nearest } from '../options.js';
import { bytesPerElement, type DataType } from '../tensor.js';
import { byteCount, describeTensor, readElements } from './data.js';
import type { Graph, TensorData } from './graph.js';
import { allConstants, mapConstants } from './inner_graphs.js';
import { gatherStrided } from './operators/strided.js';

export interface LoadWeightsOptions {
  /**
   * Names of tensors, or RegExps, that hold the transpose of the constant, as PyTorch's Linear does of a MatMul's: all
   * others are taken as they are. Without it, dims decide: [out, in] for a constant of [in, out] is turned, and where
   * that is found a square one is an error, for its dims say nothing.
   */
  readonly transposed?: readonly (string | RegExp)[] | undefined;
  /** The constant that a tensor is for. Default: the one of the same name. */
  readonly names?: Readonly<Record<string, string>> | undefined;
  /** What to do with a tensor that is for no constant of the graph. Default: `error`. */
  readonly unknown?: 'error' | 'ignore' | undefined;
}

/**
 * A graph with these tensors as its constants; constants without one stay. A tensor has the dims of its constant, and
 * its type, or a float type that the constant's holds exactly: float16 and bfloat16 go into float32 and float64, and
 * float32 into float64. Nothing is rounded. Constants of a branch or loop body are called `node/attribute/name`, as
 * `convert` writes them.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT for a tensor that has no constant, or a transpose that is ambiguous,
 *   ERR_ESPALIER_SHAPE and ERR_ESPALIER_TYPE for tensors that do not fit
 */
export function loadWeights(
  graph: Graph,
  tensors: ReadonlyMap<string, TensorData>,
  options: LoadWeightsOptions = {},
): Graph {
  const fitted = fitTensors(graph, tensors, options);
  return mapConstants(graph, (data, name) => {
    const tensor = fitted.get(name);
    return tensor === undefined ? data : widened(tensor, data.type, name);
  });
}

/**
 * Tensors by the name of the constant that each is for, with that constant's dims.
 * @throws EspalierError as {@link loadWeights}, types aside
 */
export function fitTensors(
  graph: Graph,
  tensors: ReadonlyMap<string, TensorData>,
  { transposed, names = {}, unknown = 'error' }: LoadWeightsOptions,
): Map<string, TensorData> {
  const constants = allConstants(graph);
  const fitted = new Map<string, TensorData>();
  let turned: string | undefined;
  let square: string | undefined;
  for (const [name, tensor] of tensors) {
    const target = Object.hasOwn(names, name) ? (names[name] as string) : name;
    const constant = constants.get(target);
    if (constant === undefined) {
      if (unknown === 'ignore') continue;
      const known = [...constants.keys()];
      throw wrong(`a constant for tensor "${name}"`, `none called "${target}"; ${nearest(target, known)}`);
    }
    if (fitted.has(target)) throw wrong(`one tensor for constant "${target}"`, `"${name}" too`);
    const fit = fitDims(name, tensor, constant.dims, transposed);
    if (fit !== tensor) turned ??= name;
    if (tensor.dims.length === 2 && tensor.dims[0] === tensor.dims[1]) square ??= name;
    fitted.set(target, fit);
  }
  if (transposed === undefined && turned !== undefined && square !== undefined) {
    const got = `"${turned}", which is by its dims, and "${square}", whose dims do not say`;
    throw wrong('the option `transposed` to name the tensors that are transposed', got);
  }
  return fitted;
}

function fitDims(
  name: string,
  tensor: TensorData,
  dims: readonly number[],
  transposed: LoadWeightsOptions['transposed'],
): TensorData {
  if (tensor.bytes.byteLength !== byteCount(tensor.type, tensor.dims)) {
    const expected = `Expected ${byteCount(tensor.type, tensor.dims)} bytes for ${describeTensor(tensor)} "${name}"`;
    throw new EspalierError('ERR_ESPALIER_SHAPE', `${expected}, got ${tensor.bytes.byteLength}`);
  }
  const named = transposed?.some((matcher) =>
    typeof matcher === 'string' ? matcher === name : name.search(matcher) >= 0,
  );
  const [rows, columns] = tensor.dims;
  const fits = equal(tensor.dims, dims);
  const fitsTurned = tensor.dims.length === 2 && equal([columns as number, rows as number], dims);
  if (named !== true && fits) return tensor;
  if (named === true || (transposed === undefined && fitsTurned)) {
    if (fitsTurned) return transpose(tensor);
  }
  throw new EspalierError(
    'ERR_ESPALIER_SHAPE',
    `Expected tensor "${name}" to be [${dims.join(', ')}]${named === true ? ' transposed' : ''}, got [${tensor.dims.join(', ')}]`,
  );
}

function transpose({ type, dims: [rows = 0, columns = 0], bytes }: TensorData): TensorData {
  const dims = [columns, rows];
  return {
    type,
    dims,
    bytes: gatherStrided(dims, bytesPerElement[type], bytes, { offset: 0, strides: [1, columns] }),
  };
}

/** Types that hold every value of another one. */
const widerTypes: Partial<Record<DataType, readonly DataType[]>> = {
  float16: ['float32', 'float64'],
  bfloat16: ['float32', 'float64'],
  float32: ['float64'],
};

function widened(tensor: TensorData, type: DataType, name: string): TensorData {
  if (tensor.type === type) return tensor;
  if (!widerTypes[tensor.type]?.includes(type)) {
    throw new EspalierError(
      'ERR_ESPALIER_TYPE',
      `Expected values for constant "${name}" that ${type} holds exactly, got ${describeTensor(tensor)}`,
    );
  }
  const values = readElements(tensor) as Float32Array;
  const { buffer } = type === 'float64' ? Float64Array.from(values) : Float32Array.from(values);
  return { type, dims: tensor.dims, bytes: new Uint8Array(buffer) };
}

function equal(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}

function wrong(expected: string, got: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected ${expected}, got ${got}`);
}
