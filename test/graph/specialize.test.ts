import { describe, expect, it } from 'vitest';
import { fromNumbers, type Graph, type Node, readNumbers, specialize } from '../../src/graph/index.js';
import { buildGraph, floats, type GraphParts, ints, node, runReference, valuesOf } from './support.js';

/** A graph from x float32 [batch, 3] to the outputs of the nodes. */
function graphOf(
  nodes: Node[],
  constants: GraphParts['constants'] = {},
  outputs: GraphParts['outputs'] = { y: 'float32' },
): Graph {
  return buildGraph({ opset: 21, inputs: { x: ['float32', 'batch', 3] }, constants, nodes, outputs });
}

const at = (...dims: number[]) => new Map([['x', dims]]);

describe('specialize', () => {
  it('folds chains that start at a shape', () => {
    const graph = graphOf(
      [
        node('Shape', ['x'], ['shape']),
        node('Gather', ['shape', 'zero'], ['batch']),
        node('Unsqueeze', ['batch', 'first'], ['list']),
        node('Concat', ['list', 'tail'], ['dims'], { axis: 0n }),
        node('ConstantOfShape', ['dims'], ['fill'], { value: fromNumbers('float32', [1], [2.5]) }),
        node('Mul', ['fill', 'fill'], ['squares']),
        node('Expand', ['x', 'tripled'], ['wide']),
        node('Add', ['wide', 'squares'], ['y']),
      ],
      { zero: fromNumbers('int64', [], [0]), first: ints([0]), tail: ints([3]), tripled: ints([1, 1]) },
    );
    const { nodes, constants, values } = specialize(graph, at(4, 3));
    expect(nodes.map(({ op, inputs }) => [op, ...inputs])).toEqual([['Add', 'x', 'squares']]);
    expect([...constants.keys()]).toEqual(['squares']);
    expect(values.get('y')).toEqual({ type: 'float32', dims: [4, 3] });
    expect([...values.keys()].sort()).toEqual(['squares', 'x', 'y']);
  });

  it('keeps the names of outputs: constant, input, renamed', async () => {
    const graph = graphOf(
      [
        node('Identity', ['c'], ['constant']),
        node('Identity', ['x'], ['copy']),
        node('Relu', ['x'], ['inner']),
        node('Identity', ['inner'], ['renamed']),
        node('Neg', ['inner'], ['after']),
      ],
      { c: floats([2], [1, 2]) },
      { constant: 'float32', copy: 'float32', renamed: 'float32', after: 'float32' },
    );
    const result = specialize(graph, at(2, 3));
    expect(result.outputs.map(({ name, dims }) => [name, dims])).toEqual([
      ['constant', [2]],
      ['copy', [2, 3]],
      ['renamed', [2, 3]],
      ['after', [2, 3]],
    ]);
    expect([...result.constants.keys()]).toEqual(['constant']);
    expect(result.nodes.map(({ op, inputs, outputs }) => [op, inputs, outputs])).toEqual([
      ['Identity', ['x'], ['copy']],
      ['Relu', ['x'], ['renamed']],
      ['Neg', ['renamed'], ['after']],
    ]);
    const feeds = { x: floats([2, 3]) };
    const [expected, actual] = [await runReference(graph, feeds), await runReference(result, feeds)];
    for (const name of Object.keys(expected)) expect(actual[name]).toEqual(expected[name]);
  });

  it('removes dead nodes and unused constants', () => {
    const graph = graphOf([node('Relu', ['x'], ['y']), node('Add', ['x', 'c'], ['dead'])], {
      c: floats([3]),
    });
    const result = specialize(graph, at(1, 3));
    expect(result.nodes.map(({ op }) => op)).toEqual(['Relu']);
    expect(result.constants.size).toBe(0);
  });

  it('leaves the graph it is given as it was', () => {
    const graph = graphOf([node('Add', ['x', 'sum'], ['y']), node('Add', ['c', 'c'], ['sum'])].reverse(), {
      c: floats([3]),
    });
    const before = structuredClone(graph);
    specialize(graph, at(1, 3));
    expect(graph).toEqual(before);
  });

  it.each([
    [
      'a missing input',
      new Map<string, number[]>(),
      'ERR_ESPALIER_INPUT',
      /"x" to be float32 \[batch, 3\], got none/,
    ],
    ['an unknown input', new Map([['z', [1]]]), 'ERR_ESPALIER_INPUT', /inputs "x", got "z"/],
    ['another rank', at(1, 3, 1), 'ERR_ESPALIER_SHAPE', /"x" to be float32 \[batch, 3\], got \[1, 3, 1\]/],
    ['another fixed dim', at(1, 4), 'ERR_ESPALIER_SHAPE', /got \[1, 4\]/],
    ['a fraction', at(1.5, 3), 'ERR_ESPALIER_SHAPE', /got \[1.5, 3\]/],
    ['a giant', at(1e12, 3), 'ERR_ESPALIER_SHAPE', /got \[1000000000000, 3\]/],
  ])('refuses %s', (_, dims, code, message) => {
    const graph = graphOf([node('Relu', ['x'], ['y'])]);
    expect(() => specialize(graph, dims)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  it.each<[string, Node[], GraphParts['constants'], string, RegExp]>([
    [
      'inner dims that differ',
      [node('MatMul', ['x', 'w'], ['y'])],
      { w: floats([4, 5]) },
      'ERR_ESPALIER_SHAPE',
      /MatMul_y \(MatMul\): inner dims 3 and 4 differ, with inputs x: float32 \[2, 3\]; w: float32 \[4, 5\]/,
    ],
    [
      'dims that do not broadcast',
      [node('Add', ['x', 'w'], ['y'])],
      { w: floats([2]) },
      'ERR_ESPALIER_SHAPE',
      /Add_y \(Add\): the inputs do not broadcast/,
    ],
    [
      'types that differ',
      [node('Add', ['x', 'w'], ['y'])],
      { w: ints([1, 2, 3]) },
      'ERR_ESPALIER_TYPE',
      /x: float32 \[2, 3\]; w: int64 \[3\]/,
    ],
    [
      'dims from run-time data',
      [
        node('Softmax', ['x'], ['s']), // never computed beforehand
        node('Cast', ['s'], ['n'], { to: 7n }),
        node('ConstantOfShape', ['n'], ['y']),
      ],
      {},
      'ERR_ESPALIER_UNSUPPORTED',
      /input 0 \(n\) of node ConstantOfShape_y .* run-time data/,
    ],
    [
      'a giant constant',
      [node('ConstantOfShape', ['n'], ['y'])],
      { n: ints([1_000_000, 1_000_000]) },
      'ERR_ESPALIER_MODEL',
      /at most 2147483647 elements, got float32 \[1000000, 1000000\]/,
    ],
    [
      'a giant range',
      [node('Range', ['a', 'b', 'c'], ['y'])],
      {
        a: fromNumbers('int64', [], [0]),
        b: fromNumbers('int64', [], [2n ** 62n]),
        c: fromNumbers('int64', [], [1]),
      },
      'ERR_ESPALIER_MODEL',
      /Range_y/,
    ],
    [
      'integer division by zero',
      [node('Div', ['n', 'n'], ['y'])],
      { n: ints([0]) },
      'ERR_ESPALIER_MODEL',
      /division by zero/,
    ],
    [
      'indices outside',
      [node('Gather', ['n', 'n'], ['y'])],
      { n: ints([7]) },
      'ERR_ESPALIER_MODEL',
      /Gather_y \(Gather\) in \[-1, 0\], got 7/,
    ],
    [
      'attributes of another kind',
      [node('Concat', ['x'], ['y'], { axis: 1.5 })],
      {},
      'ERR_ESPALIER_MODEL',
      /attribute axis of node Concat_y \(Concat\) to be of kind int, got float/,
    ],
    [
      'missing inputs',
      [node('Add', ['x'], ['y'])],
      {},
      'ERR_ESPALIER_MODEL',
      /Add_y \(Add\) to have input 1, got none/,
    ],
    [
      'too many outputs',
      [node('Relu', ['x'], ['y', 'z'])],
      {},
      'ERR_ESPALIER_UNSUPPORTED',
      /at most 1 outputs, got 2/,
    ],
  ])('refuses %s', (_, nodes, constants, code, message) => {
    const graph = graphOf(nodes, constants);
    expect(() => specialize(graph, at(2, 3))).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  it('does not fold a small constant into a large one', () => {
    const graph = graphOf([node('Expand', ['c', 'n'], ['y'])], { c: floats([1]), n: ints([5000, 5000]) });
    const result = specialize(graph, at(1, 3));
    expect(result.constants.has('y')).toBe(false);
    expect(result.values.get('y')?.dims).toEqual([5000, 5000]);
  });

  it('does not let small constants grow without end', () => {
    const doubled = Array.from({ length: 27 }, (_, i) => {
      return node('Concat', [`c${i}`, `c${i}`], [`c${i + 1}`], { axis: 0n });
    });
    const graph = graphOf([...doubled, node('Shape', ['c27'], ['y'])], { c0: floats([8]) }, { y: 'int64' });
    const result = specialize(graph, at(1, 3));
    expect(result.constants.get('y')).toEqual(ints([2 ** 30]));
    expect([...result.constants.keys()]).toEqual(['y']);
  });

  it('takes a node without outputs for dead', () => {
    const graph = graphOf([node('Identity', ['x'], ['']), node('Clip', ['x', '', 'c'], ['y'])], {
      c: fromNumbers('float32', [], [1]),
    });
    expect(specialize(graph, at(1, 3)).nodes.map(({ op, inputs }) => [op, ...inputs])).toEqual([
      ['Clip', 'x', '', 'c'],
    ]);
  });

  it('lists every operator that is not supported, once each', () => {
    const nodes = [
      ...Array.from({ length: 7 }, (_, i) => node('TfIdfVectorizer', ['x'], [`e${i}`])),
      { ...node('Magic', ['x'], ['y']), domain: 'com.example' },
    ];
    const graph = {
      ...graphOf(nodes),
      opsets: new Map([
        ['', 21],
        ['com.example', 3],
      ]),
    };
    expect(() => specialize(graph, at(1, 3))).toThrow(
      expect.objectContaining({
        code: 'ERR_ESPALIER_UNSUPPORTED',
        message:
          'Expected supported operators, got ai.onnx.TfIdfVectorizer (opset 21) in nodes ' +
          `${[0, 1, 2, 3, 4].map((i) => `TfIdfVectorizer_e${i}`).join(', ')} and 2 more; ` +
          'com.example.Magic (opset 3) in node Magic_y',
      }),
    );
  });

  it('refuses operators of opsets in which their form was another', () => {
    const old = (op: string) => ({ ...graphOf([node(op, ['x', 'x'], ['y'])]), opsets: new Map([['', 6]]) });
    expect(() => specialize(old('Add'), at(1, 3))).toThrow(/ai\.onnx\.Add \(opset 6\)/);
    expect(specialize(old('Max'), at(1, 3)).nodes).toHaveLength(1);
  });

  it.each([0, 25])('refuses opset %i', (opset) => {
    const graph = { ...graphOf([node('Relu', ['x'], ['y'])]), opsets: new Map([['', opset]]) };
    expect(() => specialize(graph, at(1, 3))).toThrow(
      expect.objectContaining({
        code: 'ERR_ESPALIER_UNSUPPORTED',
        message: expect.stringContaining(`opset ${opset}`),
      }),
    );
  });
});

describe('constant arithmetic', () => {
  const fold = (graph: Graph) => specialize(graph, new Map()).constants.get('y');
  const foldOf = (op: string, inputs: Record<string, ReturnType<typeof ints>>, attributes = {}) =>
    buildGraph({
      opset: 21,
      constants: inputs,
      nodes: [node(op, Object.keys(inputs), ['y'], attributes)],
      outputs: { y: 'float32' },
    });

  it('is exact and wraps for 64-bit integers', () => {
    const large = 2n ** 53n + 1n;
    expect(valuesOf(fold(foldOf('Add', { a: ints([large]), b: ints([2]) })) as never)).toEqual([
      String(large + 2n),
    ]);
    expect(valuesOf(fold(foldOf('Add', { a: ints([2n ** 63n - 1n]), b: ints([1]) })) as never)).toEqual([
      String(-(2n ** 63n)),
    ]);
    expect(valuesOf(fold(foldOf('Pow', { a: ints([3]), b: ints([10n ** 15n]) })) as never)).toEqual([
      String(BigInt.asIntN(64, powerModulo(3n, 10n ** 15n))),
    ]);
    expect(valuesOf(fold(foldOf('Div', { a: ints([-7, 7, -8]), b: ints([2, -2, 3]) })) as never)).toEqual([
      '-3',
      '-3',
      '-2',
    ]);
  });

  it('rounds float32 once', () => {
    const a = fromNumbers('float32', [1], [0.1]);
    const b = fromNumbers('float32', [1], [0.2]);
    expect(readNumbers(fold(foldOf('Add', { a, b })) as never)).toEqual([
      Math.fround(Math.fround(0.1) + Math.fround(0.2)),
    ]);
  });

  it.each(['int8', 'uint8', 'int32', 'int64', 'float16', 'float32', 'float64', 'bool'] as const)(
    'moves %s as onnxruntime does',
    async (type) => {
      const graph = buildGraph({
        opset: 21,
        constants: {
          a: fromNumbers(type, [2, 3], [0, 1, 1, 0, 1, 0]),
          shape: ints([3, 2]),
          starts: ints([2]),
          ends: ints([-100]),
          axes: ints([0]),
          steps: ints([-2]),
          expanded: ints([2, 2, 2]),
        },
        nodes: [
          node('Transpose', ['a'], ['t']),
          node('Reshape', ['t', 'shape'], ['r']),
          node('Slice', ['r', 'starts', 'ends', 'axes', 'steps'], ['s']),
          node('Expand', ['s', 'expanded'], ['e']),
          node('Concat', ['e', 'e'], ['y'], { axis: 1n }),
        ],
        outputs: { y: type },
      });
      const { y } = await runReference(graph);
      expect(y && valuesOf(y)).toEqual(valuesOf(fold(graph) as never));
      expect(fold(graph)?.dims).toEqual(y?.dims);
    },
  );
});

function powerModulo(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (const bit of exponent.toString(2)) result = (result * result * (bit === '1' ? base : 1n)) % 2n ** 64n;
  return result;
}
