import { describe, expect, it } from 'vitest';
import { fromNumbers, type Graph, specialize, type TensorData } from '../../src/graph/index.js';
import { buildGraph, floats, type GraphParts, ints, node, relativeError, runReference } from './support.js';

const image = floats([2, 4, 6, 5]);
const scalar = (value: number) => fromNumbers('float32', [], [value]);
type Parts = Omit<GraphParts, 'opset' | 'outputs'> & { readonly outputs?: GraphParts['outputs'] };

/** A graph `y = op(x, ...)`. */
const one = (
  op: string,
  attributes: Parameters<typeof node>[3] = {},
  constants: Record<string, TensorData> = {},
  outputs: string[] = ['y'],
): Parts => ({
  nodes: [node(op, ['x', ...Object.keys(constants)], outputs, attributes)],
  constants,
  outputs: Object.fromEntries(outputs.map((name) => [name, 'float32' as const])),
});

/** Forms of operators by the opsets that know them. */
const forms: readonly { readonly name: string; readonly opsets: readonly number[]; readonly parts: Parts }[] =
  [
    { name: 'Clip attributes', opsets: [7, 9], parts: one('Clip', { min: -0.5, max: 0.75 }) },
    { name: 'Clip min attribute', opsets: [7, 9], parts: one('Clip', { min: 0 }) },
    {
      name: 'Clip inputs',
      opsets: [11, 13, 21],
      parts: one('Clip', {}, { min: scalar(-0.5), max: scalar(0.75) }),
    },
    {
      name: 'Slice attributes',
      opsets: [7, 9],
      parts: one('Slice', { starts: [1n, -3n], ends: [3n, 99n], axes: [1n, 2n] }),
    },
    {
      name: 'Slice attributes without axes',
      opsets: [7, 9],
      parts: one('Slice', { starts: [0n, 1n], ends: [1n, 9223372036854775807n] }),
    },
    {
      name: 'Slice inputs',
      opsets: [11, 13, 18, 21],
      parts: one(
        'Slice',
        {},
        { a: ints([-1]), b: ints([-9223372036854775808n]), c: ints([3]), d: ints([-2]) },
      ),
    },
    { name: 'Squeeze attribute', opsets: [7, 11], parts: one('Squeeze', { axes: [0n, 2n] }) },
    { name: 'Squeeze all', opsets: [7, 11, 13, 21], parts: one('Squeeze') },
    { name: 'Squeeze input', opsets: [13, 21], parts: one('Squeeze', {}, { axes: ints([-2, 0]) }) },
    { name: 'Unsqueeze attribute', opsets: [7, 11], parts: one('Unsqueeze', { axes: [0n, 3n] }) },
    { name: 'Unsqueeze input', opsets: [13, 21], parts: one('Unsqueeze', {}, { axes: ints([-1, 1]) }) },
    {
      name: 'Split attribute',
      opsets: [7, 11],
      parts: one('Split', { axis: 2n, split: [1n, 5n] }, {}, ['y', 'z']),
    },
    {
      name: 'Split input',
      opsets: [13, 18, 21],
      parts: one('Split', { axis: -2n }, { s: ints([2, 4]) }, ['y', 'z']),
    },
    { name: 'Split equal', opsets: [7, 11, 13], parts: one('Split', { axis: 1n }, {}, ['y', 'z']) },
    {
      name: 'Split num_outputs',
      opsets: [18, 21],
      parts: one('Split', { axis: 3n, num_outputs: 2n }, {}, ['y', 'z']),
    },
    {
      name: 'Pad attributes',
      opsets: [7, 9],
      parts: one('Pad', { pads: [0n, 0n, 1n, 2n, 0n, 0n, 0n, -1n], value: 1.5, mode: 'constant' }),
    },
    {
      name: 'Pad reflect attributes',
      opsets: [7, 9],
      parts: one('Pad', { pads: [0n, 0n, 2n, 1n, 0n, 0n, 1n, 3n], mode: 'reflect' }),
    },
    {
      name: 'Pad inputs',
      opsets: [11, 13, 18, 21],
      parts: one('Pad', {}, { pads: ints([0, 0, 1, 2, 0, 0, 0, 1]), v: scalar(2) }),
    },
    {
      name: 'Pad axes',
      opsets: [18, 21],
      parts: one('Pad', { mode: 'edge' }, { pads: ints([1, 2, 0, 3]), v: scalar(0), axes: ints([-1, 2]) }),
    },
    {
      name: 'Pad wrap',
      opsets: [19, 21],
      parts: one('Pad', { mode: 'wrap' }, { pads: ints([0, 0, 1, 2, 0, 0, 3, 1]) }),
    },
    ...[
      'ReduceMean',
      'ReduceMax',
      'ReduceMin',
      'ReduceProd',
      'ReduceL1',
      'ReduceL2',
      'ReduceSumSquare',
    ].flatMap((op) => [
      { name: `${op} attribute`, opsets: [7, 11, 13], parts: one(op, { axes: [1n, 3n], keepdims: 0n }) },
      { name: `${op} input`, opsets: [18, 21], parts: one(op, { keepdims: 1n }, { axes: ints([-1]) }) },
      { name: `${op} all`, opsets: [7, 11, 13, 18, 21], parts: one(op) },
    ]),
    { name: 'ReduceSum attribute', opsets: [7, 11], parts: one('ReduceSum', { axes: [2n], keepdims: 0n }) },
    {
      name: 'ReduceSum input',
      opsets: [13, 18],
      parts: one('ReduceSum', { keepdims: 0n }, { axes: ints([0, -1]) }),
    },
    {
      name: 'ReduceSum no axes, no work',
      opsets: [13, 21],
      parts: one('ReduceSum', { noop_with_empty_axes: 1n }, { axes: ints([]) }),
    },
    ...['Softmax', 'LogSoftmax'].flatMap((op) => [
      { name: `${op} default`, opsets: [7, 11, 13, 21], parts: one(op) },
      { name: `${op} axis 2`, opsets: [7, 11, 13, 21], parts: one(op, { axis: 2n }) },
      { name: `${op} axis 0`, opsets: [7, 11, 13], parts: one(op, { axis: 0n }) },
      { name: `${op} last axis`, opsets: [7, 11, 13], parts: one(op, { axis: 3n }) },
      { name: `${op} negative axis`, opsets: [11, 13], parts: one(op, { axis: -2n }) },
    ]),
    {
      name: 'Upsample attribute',
      opsets: [7],
      parts: one('Upsample', { scales: [1, 1, 2, 3], mode: 'nearest' }),
    },
    {
      name: 'Upsample input',
      opsets: [9],
      parts: one('Upsample', { mode: 'linear' }, { s: floats([4], [1, 1, 2, 1.5]) }),
    },
    {
      name: 'Resize scales',
      opsets: [10],
      parts: one('Resize', { mode: 'nearest' }, { s: floats([4], [1, 1, 0.5, 1.7]) }),
    },
    {
      name: 'Resize scales that shrink round up',
      opsets: [10],
      parts: one('Resize', { mode: 'nearest' }, { s: floats([4], [1, 1, 0.6, 0.7]) }),
    },
    {
      name: 'Resize one axis smaller, one larger',
      opsets: [10],
      parts: one('Resize', { mode: 'nearest' }, { s: floats([4], [1, 1, 0.6, 2.3]) }),
    },
    {
      name: 'Slice backwards from before the first',
      opsets: [11, 21],
      parts: one('Slice', {}, { a: ints([-9]), b: ints([-9]), c: ints([3]), d: ints([-1]) }),
    },
    {
      name: 'Pad with what a crop leaves',
      opsets: [13, 21],
      parts: one('Pad', { mode: 'reflect' }, { pads: ints([0, 0, -1, 2, 0, 1, 2, -1]) }),
    },
    {
      name: 'Resize linear scales',
      opsets: [11, 13, 18, 21],
      parts: one('Resize', { mode: 'linear' }, { roi: floats([0], []), s: floats([4], [1, 1, 2, 0.6]) }),
    },
    ...['half_pixel', 'align_corners', 'asymmetric', 'pytorch_half_pixel'].map((mode) => ({
      name: `Resize sizes ${mode}`,
      opsets: [11, 13, 18, 21],
      parts: one(
        'Resize',
        { mode: 'linear', coordinate_transformation_mode: mode },
        { roi: floats([0], []), s: floats([0], []), sizes: ints([2, 4, 9, 3]) },
      ),
    })),
    { name: 'Dropout', opsets: [7, 11, 12, 13, 21], parts: one('Dropout') },
    { name: 'Sum', opsets: [9, 13, 21], parts: one('Sum', {}, { b: floats([5]), c: floats([4, 1, 1]) }) },
    { name: 'Flatten', opsets: [7, 11, 13, 21], parts: one('Flatten', { axis: 2n }) },
    { name: 'Reshape', opsets: [7, 13, 21], parts: one('Reshape', {}, { s: ints([0, -1, 5]) }) },
    { name: 'Transpose', opsets: [7, 13, 21], parts: one('Transpose', { perm: [0n, 2n, 3n, 1n] }) },
    { name: 'Gather', opsets: [7, 11, 13], parts: one('Gather', { axis: 1n }, { i: ints([3, 0, 1]) }) },
    { name: 'Tile', opsets: [7, 13, 21], parts: one('Tile', {}, { r: ints([1, 2, 1, 3]) }) },
    { name: 'Expand', opsets: [9, 13, 21], parts: one('Expand', {}, { s: ints([3, 1, 1, 1, 1]) }) },
    { name: 'DepthToSpace', opsets: [7, 11, 13], parts: one('DepthToSpace', { blocksize: 2n }) },
    {
      name: 'DepthToSpace CRD',
      opsets: [11, 13],
      parts: one('DepthToSpace', { blocksize: 2n, mode: 'CRD' }),
    },
    {
      name: 'BatchNormalization',
      opsets: [7, 9, 14, 15, 21],
      parts: one(
        'BatchNormalization',
        { epsilon: 0.001 },
        { s: floats([4]), b: floats([4]), m: floats([4]), v: floats([4], [1, 2, 3, 4]) },
      ),
    },
    {
      name: 'AveragePool',
      opsets: [7, 11, 19, 21],
      parts: one('AveragePool', { kernel_shape: [3n, 2n], pads: [1n, 0n, 1n, 0n] }),
    },
    {
      name: 'MaxPool',
      opsets: [7, 11, 12, 21],
      parts: one('MaxPool', { kernel_shape: [2n, 2n], strides: [2n, 2n] }),
    },
  ];

/** Tensors that fit an operator: Squeeze needs axes to squeeze, Split equal parts. */
function inputFor(name: string): TensorData {
  if (name.startsWith('Squeeze')) return floats([1, 3, 1, 4]);
  return name === 'Split num_outputs' ? floats([2, 3, 2, 5]) : image;
}

describe.each(forms)('$name', ({ name, opsets, parts }) => {
  it.each(opsets)('of opset %i becomes a canonical form that computes the same', async (opset) => {
    const x = inputFor(name);
    const outputs = parts.outputs ?? {};
    const graph = buildGraph({
      ...parts,
      outputs,
      opset,
      inputs: { x: ['float32', ...x.dims.map(() => 'd')] },
    });
    const expected = await runReference(graph, { x });
    const specialized = specialize(graph, new Map([['x', x.dims]]));
    expect(specialized.opsets).toEqual(new Map([['', 21]]));
    const folded = specialize(asConstant(graph, x), new Map());
    const actual = await runReference(specialized, { x });
    for (const output of Object.keys(outputs)) {
      const reference = expected[output] as TensorData;
      const value = specialized.values.get(output);
      expect([value?.type, value?.dims]).toEqual([reference.type, reference.dims]);
      expect(relativeError(actual[output] as TensorData, reference)).toBeLessThan(1e-6);
      const constant = folded.constants.get(output);
      if (constant !== undefined) expect(relativeError(constant, reference)).toBeLessThan(1e-6);
    }
  });
});

function asConstant(graph: Graph, x: TensorData): Graph {
  return { ...graph, inputs: [], constants: new Map([...graph.constants, ['x', x]]) };
}
