import { describe, expect, it } from 'vitest';
import type { TensorData } from '../../src/graph/index.js';
import { fromNumbers, type Node, sortGraph, specialize } from '../../src/graph/index.js';
import { buildGraph, floats, ints, node } from './support.js';

/** What specialize throws for a graph of x float32 [2, 3] and the constants. */
function refusal(nodes: Node[], constants: Readonly<Record<string, TensorData>> = {}) {
  const graph = buildGraph({
    opset: 13,
    inputs: { x: ['float32', 2, 3] },
    constants,
    nodes,
    outputs: { y: 'float32' },
  });
  try {
    specialize(graph, new Map());
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return `${code}: ${message}`;
  }
  throw new Error('expected an error');
}

describe('specialize of hostile graphs', () => {
  it('refuses a perm that counts from the end, as onnxruntime does', () => {
    const message = refusal([node('Transpose', ['x'], ['y'], { perm: [-1n, 0n] })]);
    expect(message).toMatch(/^ERR_ESPALIER_SHAPE: Node Transpose_y .*perm \[-1, 0\] does not fit 2 axes/);
  });

  it.each<[string, string[]]>([
    ['Reshape', ['x', 'list']],
    ['Expand', ['x', 'list']],
    ['Tile', ['x', 'list']],
    ['ConstantOfShape', ['list']],
    ['Slice', ['x', 'list', 'list']],
    ['Unsqueeze', ['x', 'list']],
    ['Resize', ['x', '', '', 'list']],
  ])('refuses float numbers for %s', (op, inputs) => {
    const message = refusal([node(op, inputs, ['y'])], { list: floats([2], [2, 3]) });
    expect(message).toMatch(
      new RegExp(
        `^ERR_ESPALIER_TYPE: Node ${op}_y .*\\(list\\) is expected to be int32 or int64, got float32`,
      ),
    );
  });

  it.each<[string, string[], number[]]>([
    ['Expand', ['one', 'list'], [-1]],
    ['Reshape', ['one', 'list'], [-2]],
    ['Tile', ['one', 'list'], [-1]],
    ['ConstantOfShape', ['list'], [-1]],
  ])('refuses negative dims for %s', (op, inputs, list) => {
    const message = refusal([node(op, inputs, ['y'])], { one: floats([1]), list: ints(list) });
    expect(message).toMatch(new RegExp(`^ERR_ESPALIER_SHAPE: Node ${op}_y \\(${op}\\): `));
  });

  it.each([
    ['Gather', node('Gather', ['none', 'index'], ['y'], { axis: 1n })],
    ['Transpose', node('Transpose', ['none'], ['y'], { perm: [0n, 2n, 1n] })],
    ['Concat', node('Concat', ['none', 'none'], ['y'], { axis: 2n })],
  ])('folds %s of no elements without walking the axes outside', (_, folded) => {
    const graph = buildGraph({
      opset: 13,
      constants: { none: floats([2 ** 40, 1, 0], []), index: ints([0]) },
      nodes: [folded],
      outputs: { y: 'float32' },
    });
    expect(specialize(graph, new Map()).constants.get('y')?.bytes.length).toBe(0);
  });

  it('refuses values of a million axes', () => {
    const nodes = [node('ConstantOfShape', ['count'], ['ones'], { value: ints([1]) })];
    const message = refusal([...nodes, node('Reshape', ['one', 'ones'], ['y'])], {
      one: floats([1]),
      count: ints([1_000_000]),
    });
    expect(message).toBe(
      'ERR_ESPALIER_MODEL: Expected the output of node Reshape_y (Reshape) to have at most 64 axes, got 1000000',
    );
    const deep = { c: fromNumbers('float32', new Array(65).fill(1), [1]) };
    expect(refusal([node('Identity', ['c'], ['y'])], deep)).toMatch(/MODEL: Expected constant "c" to have/);
  });

  it('does not take toString for an operator it can upgrade', () => {
    expect(refusal([node('toString', ['x'], ['y'])])).toMatch(
      /^ERR_ESPALIER_UNSUPPORTED: .*ai\.onnx\.toString/,
    );
  });
});

describe('sortGraph of hostile graphs', () => {
  const inner = (nodes: Node[], output: string) =>
    buildGraph({ opset: 13, nodes, outputs: { [output]: 'float32' } });
  const holding = (name: string, input: string, graph: ReturnType<typeof inner>): Node => ({
    ...node('If', [input], [name]),
    attributes: new Map([['then_branch', { kind: 'graph', value: graph }]]),
  });

  // A copy of the outer names for each would be 4 * 10^8 entries.
  it('shares the outer names among many inner graphs', () => {
    const branch = inner([node('Relu', ['x'], ['r'])], 'r');
    const nodes = Array.from({ length: 20_000 }, (_, i) => holding(`v${i}`, 'x', branch));
    const graph = buildGraph({ opset: 13, inputs: { x: ['float32'] }, nodes, outputs: { v0: 'float32' } });
    expect(sortGraph(graph).nodes).toHaveLength(20_000);
  });

  it('takes an inner graph that uses many outer names', () => {
    const branch = inner(
      Array.from({ length: 300_000 }, (_, i) => node('Relu', ['x'], [`r${i}`])),
      'r0',
    );
    const graph = buildGraph({
      opset: 13,
      inputs: { x: ['float32'] },
      nodes: [holding('y', 'x', branch)],
      outputs: { y: 'float32' },
    });
    expect(sortGraph(graph).nodes).toHaveLength(1);
  });
});
