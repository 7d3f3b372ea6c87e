import type { Attribute, Graph, Node, TensorData } from '../../src/graph/graph.js';

/** Random numbers in [0, 1), the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** A float32 constant; `shift` bytes before it make its view unaligned. */
export function constant(dims: readonly number[], values: ArrayLike<number>, shift = 0): TensorData {
  const whole = new Uint8Array(shift + values.length * 4);
  whole.set(new Uint8Array(Float32Array.from(values).buffer), shift);
  return { type: 'float32', dims, bytes: whole.subarray(shift) };
}

export function randomConstant(dims: readonly number[], random: () => number, shift = 0): TensorData {
  const length = dims.reduce((product, dim) => product * dim, 1);
  return constant(
    dims,
    Array.from({ length }, () => random() * 2 - 1 || 0.5),
    shift,
  );
}

export interface LayerSpec {
  readonly name: string;
  readonly op: string;
  readonly weight: string;
  readonly attributes?: Readonly<Record<string, number>>;
}

/** A chain of layers over the given weights. */
export function chain(specs: readonly LayerSpec[], constants: Readonly<Record<string, TensorData>>): Graph {
  const nodes = specs.map(({ name, op, weight, attributes = {} }, i): Node => {
    const attribute = (value: number): Attribute => ({ kind: 'int', value: BigInt(value) });
    return {
      name,
      op,
      domain: '',
      inputs: [i === 0 ? 'x' : `y${i - 1}`, weight],
      outputs: [`y${i}`],
      attributes: new Map(Object.entries(attributes).map(([key, value]) => [key, attribute(value)])),
    };
  });
  return {
    name: 'test',
    inputs: [{ name: 'x', type: 'float32', dims: undefined }],
    outputs: [{ name: `y${specs.length - 1}`, type: 'float32', dims: undefined }],
    nodes,
    constants: new Map(Object.entries(constants)),
    opsets: new Map([['', 17]]),
    metadata: {},
  };
}

/** One layer of every kind, with tails in every block pattern; weights unaligned where `shift` says so. */
export function everyKind(seed: number, shift = 0): Graph {
  const random = seeded(seed);
  return chain(
    [
      { name: 'conv', op: 'Conv', weight: 'conv.w' },
      { name: 'grouped', op: 'Conv', weight: 'grouped.w', attributes: { group: 3 } },
      { name: 'conv1d', op: 'Conv', weight: 'conv1d.w' },
      { name: 'gemm', op: 'Gemm', weight: 'gemm.w' },
      { name: 'gemmT', op: 'Gemm', weight: 'gemmT.w', attributes: { transB: 1 } },
      { name: 'matmul', op: 'MatMul', weight: 'matmul.w' },
      { name: 'depthwise', op: 'Conv', weight: 'depthwise.w', attributes: { group: 8 } },
    ],
    {
      'conv.w': randomConstant([21, 5, 3, 3], random, shift),
      'grouped.w': randomConstant([54, 4, 1, 3], random, shift),
      'conv1d.w': randomConstant([32, 7, 5], random, shift),
      'gemm.w': randomConstant([13, 37], random, shift),
      'gemmT.w': randomConstant([19, 11], random, shift),
      'matmul.w': randomConstant([9, 16], random, shift),
      'depthwise.w': randomConstant([8, 1, 3, 3], random, shift),
    },
  );
}

/** The values of a constant, whatever the alignment of its bytes. */
export function values(graph: Graph, name: string): Float32Array {
  const data = graph.constants.get(name);
  if (data === undefined) throw new Error(`no constant ${name}`);
  return new Float32Array(new Uint8Array(data.bytes).buffer);
}
