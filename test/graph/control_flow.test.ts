import { describe, expect, test } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { fromNumbers, type Graph, type Node, specialize, type TensorData } from '../../src/graph/index.js';
import { InferenceSession, Tensor } from '../../src/index.js';
import { compareAll, expectAgreement, Model, runOnnxruntime } from '../operators/support.js';
import { type Attributes, buildGraph, floats, ints, node } from './support.js';

interface Body {
  readonly inputs?: readonly (readonly ['float32' | 'int64' | 'bool', string])[];
  readonly constants?: Readonly<Record<string, TensorData>>;
  readonly nodes?: readonly Node[];
  readonly outputs: readonly string[];
}

/** A graph for the inside of a node, whose inputs and outputs have no declared dims. */
function body({ inputs = [], constants = {}, nodes = [], outputs }: Body): Graph {
  const graph = buildGraph({ opset: 21, nodes, constants, outputs: {} });
  return {
    ...graph,
    inputs: inputs.map(([type, name]) => ({ name, type, dims: type === 'float32' ? undefined : [] })),
    outputs: outputs.map((name) => ({ name, type: 'float32', dims: undefined, undeclared: true })),
  };
}

const unary = (op: string, output = 'y'): Body => ({ nodes: [node(op, ['x'], [output])], outputs: [output] });

/** x float32 [2, 3], and what else the nodes need. */
function graphOf(
  nodes: readonly Node[],
  more: {
    inputs?: Record<string, readonly ['float32' | 'int64' | 'bool', ...number[]]>;
    constants?: Record<string, TensorData>;
    outputs?: Record<string, 'float32' | 'int64'>;
  } = {},
): Graph {
  return buildGraph({
    opset: 21,
    inputs: { x: ['float32', 2, 3], ...more.inputs },
    constants: more.constants ?? {},
    nodes,
    outputs: more.outputs ?? { y: 'float32' },
  });
}

const x = () => new Tensor('float32', [1, -2, 3, -4, 5, -6], [2, 3]);
const truth = (value: boolean) => fromNumbers('bool', [], [value ? 1 : 0]);

async function agree(graph: Graph, feeds: Record<string, Tensor>, threads = 1): Promise<string[]> {
  const bytes = exportOnnx(graph);
  const session = await InferenceSession.create(bytes, { threads });
  try {
    const actual = session.runSync(feeds);
    expect(compareAll(actual, await runOnnxruntime(bytes, feeds))).toEqual([]);
    return session.profile(feeds).map(({ op }) => op);
  } finally {
    session.release();
  }
}

const ifNode = (condition: string, yes: Body, no: Body, outputs = ['y']) =>
  node('If', [condition], outputs, { then_branch: body(yes), else_branch: body(no) });

describe('If', () => {
  test.each([true, false])('of the constant %s is its branch', async (value) => {
    const graph = graphOf([ifNode('c', unary('Neg'), unary('Abs'))], { constants: { c: truth(value) } });
    expect(specialize(graph, new Map()).nodes.map(({ op }) => op)).toEqual([value ? 'Neg' : 'Abs']);
    expect(await agree(graph, { x: x() })).toEqual(['unary']);
  });

  test('of a shape is resolved when the shape is known', async () => {
    const nodes = [
      node('Size', ['x'], ['n']),
      node('Greater', ['n', 'five'], ['c']),
      ifNode('c', unary('Neg'), unary('Abs')),
    ];
    await agree(graphOf(nodes, { constants: { five: fromNumbers('int64', [], [5]) } }), { x: x() });
  });

  test('has branches that use outer values, constants of the same name, and give outer values back', async () => {
    const w = (value: number) => floats([3], [value, 2 * value, 3]);
    const yes = {
      constants: { w: w(1) },
      nodes: [node('Mul', ['t', 'w'], ['p']), node('Identity', ['t'], ['u'])],
      outputs: ['p', 'u'],
    };
    const no = { constants: { w: w(5) }, nodes: [node('Mul', ['t', 'w'], ['p'])], outputs: ['w', 'p'] };
    const outer = [
      node('Relu', ['x'], ['t']),
      ifNode('c', yes, no, ['y', 'z']),
      node('Add', ['y', 'z'], ['s']),
    ];
    for (const value of [true, false]) {
      const outputs = { y: 'float32', z: 'float32', s: 'float32' } as const;
      await agree(graphOf(outer, { constants: { c: truth(value) }, outputs }), { x: x() });
    }
  });

  test('inside If reads the values of every graph around it', async () => {
    const inner = (op: string): Body => ({
      nodes: [
        node('Relu', ['x'], ['r']),
        ifNode(
          'c2',
          { nodes: [node(op, ['r', 't'], ['q'])], outputs: ['q'] },
          { nodes: [node(op, ['t', 'x'], ['q'])], outputs: ['q'] },
          ['i'],
        ),
      ],
      outputs: ['i'],
    });
    const nodes = [node('Abs', ['x'], ['t']), ifNode('c1', inner('Add'), inner('Sub'))];
    for (const [a, b] of [
      [true, true],
      [true, false],
      [false, true],
    ] as const)
      await agree(graphOf(nodes, { constants: { c1: truth(a), c2: truth(b) } }), { x: x() });
  });

  test('of an input is part of what a plan is made for', async () => {
    const nodes = [
      node('Equal', ['sr', 'rate'], ['c']),
      ifNode('c', unary('Neg'), { nodes: [node('Transpose', ['x'], ['t'])], outputs: ['t'] }),
    ];
    const graph = graphOf(nodes, {
      inputs: { sr: ['int64'] },
      constants: { rate: fromNumbers('int64', [], [16000]) },
    });
    const session = await InferenceSession.create(exportOnnx(graph), { threads: 1 });
    const run = (rate: number) =>
      session.runSync({ x: x(), sr: new Tensor('int64', [BigInt(rate)], []) })['y'];
    expect(run(16000)?.data).toEqual(Float32Array.from([-1, 2, -3, 4, -5, 6]));
    expect(run(8000)?.dims).toEqual([3, 2]);
    expect(run(16000)?.dims).toEqual([2, 3]);
    for (let rate = 0; rate < 40; rate++) expect(run(rate)?.dims).toEqual([3, 2]); // more than are kept
    session.release();
  });

  test.each([[], [1]])(
    'of a value computed at run time chooses between both branches, dims %j',
    async (...dims) => {
      const nodes = [
        node('ReduceSum', ['x'], ['s'], { keepdims: 0n }),
        node('Reshape', ['s', 'shape'], ['s1']),
        node('Greater', ['s1', 'zero'], ['c']),
        ifNode('c', unary('Neg'), { nodes: [node('Mul', ['x', 'x'], ['q'])], outputs: ['q'] }),
      ];
      const constants = { zero: fromNumbers('float32', [], [0]), shape: ints(dims as number[]) };
      for (const values of [
        [1, 2, 3, 4, 5, 6],
        [-1, 2, -3, 0, 1, -2],
      ])
        await agree(graphOf(nodes, { constants }), { x: new Tensor('float32', values, [2, 3]) });
    },
  );

  test('of a value computed at run time runs one branch where both cannot run', async () => {
    const condition = [
      node('ReduceSum', ['x'], ['s'], { keepdims: 0n }),
      node('Greater', ['s', 'zero'], ['c']),
    ];
    const zero = fromNumbers('float32', [], [0]);
    const otherDims = graphOf(
      [...condition, ifNode('c', unary('Neg'), { nodes: [node('Transpose', ['x'], ['t'])], outputs: ['t'] })],
      { constants: { zero } },
    );
    const gather = { nodes: [node('Gather', ['x', 'i'], ['g'])], outputs: ['g'] };
    const mayFail = graphOf([...condition, ifNode('c', unary('Neg'), gather)], {
      inputs: { i: ['int64', 2] },
      constants: { zero },
    });
    const negative = new Tensor('float32', [-1, -2, -3, 0, 0, 0], [2, 3]);
    for (const feed of [x(), negative]) {
      await agree(otherDims, { x: feed });
      await agree(mayFail, { x: feed, i: new Tensor('int64', [1n, 0n], [2]) });
    }
    const outside = new Tensor('int64', [7n, 0n], [2]);
    await agree(mayFail, { x: new Tensor('float32', [1, 2, 3, 0, 0, 0], [2, 3]), i: outside });
  });
});

const loopInputs = [
  ['int64', 'i'],
  ['bool', 'going'],
  ['float32', 'v'],
] as const;

function loop(
  parts: Body,
  attributes: Attributes = {},
  inputs = ['trips', '', 'x'],
  outputs = ['y', 'rows'],
): Node {
  return node('Loop', inputs, outputs, { body: body({ inputs: loopInputs, ...parts }), ...attributes });
}

describe('Loop', () => {
  const step: Body = {
    nodes: [
      node('Cast', ['i'], ['f'], { to: 1n }),
      node('Add', ['v', 'f'], ['a']),
      node('Relu', ['a'], ['next']),
      node('Identity', ['going'], ['on']),
    ],
    outputs: ['on', 'next', 'a'],
  };
  const outputs = { y: 'float32', rows: 'float32' } as const;

  test.each([1, 4])('of %i iterations is unrolled, and stacks what each gives', async (trips) => {
    const graph = graphOf([loop(step)], { constants: { trips: fromNumbers('int64', [], [trips]) }, outputs });
    await agree(graph, { x: x() });
  });

  test('ends when its condition, known beforehand, says so', async () => {
    const until: Body = {
      ...step,
      nodes: [...(step.nodes ?? []).slice(0, 3), node('Less', ['i', 'two'], ['on'])],
    };
    const constants = { two: fromNumbers('int64', [], [2]), trips: fromNumbers('int64', [], [50]) };
    const graph = graphOf([loop(until)], { constants, outputs });
    await agree(graph, { x: x() });
    expect(specialize(graph, new Map()).outputs[1]?.dims).toEqual([3, 2, 3]);
  });

  test('of a trip count that is fed is made for the count', async () => {
    const graph = graphOf([loop(step)], { inputs: { trips: ['int64'] }, outputs });
    for (const trips of [3n, 2n]) await agree(graph, { x: x(), trips: new Tensor('int64', [trips], []) });
  });

  test('of no iteration gives its inputs', async () => {
    const graph = graphOf([loop({ ...step, outputs: ['on', 'next'] }, {}, undefined, ['y'])], {
      constants: { trips: fromNumbers('int64', [], [0]) },
    });
    await agree(graph, { x: x() });
  });

  test('is refused where its length is computed at run time, or has no end', async () => {
    const until: Body = {
      nodes: [node('ReduceSum', ['v'], ['s'], { keepdims: 0n }), node('Less', ['s', 's'], ['on'])],
      outputs: ['on', 'v', 'v'],
    };
    const constants = { trips: fromNumbers('int64', [], [50]) };
    await expect(
      InferenceSession.create(exportOnnx(graphOf([loop(until)], { constants, outputs }))),
    ).rejects.toThrow(
      /Node Loop_y \(Loop\): whether it goes on is computed at run time; only known trip counts are unrolled/,
    );
    const endless = loop({ outputs: ['going', 'v', 'v'] }, {}, ['', '', 'x']);
    expect(() => specialize(graphOf([endless], { outputs }), new Map())).toThrow(
      /unroll to at most 16384 nodes, got more in node Loop_y/,
    );
  });
});

describe('Scan', () => {
  const sum: Body = {
    inputs: [
      ['float32', 'state'],
      ['float32', 'element'],
    ],
    nodes: [node('Add', ['state', 'element'], ['next']), node('Mul', ['next', 'element'], ['product'])],
    outputs: ['next', 'product'],
  };
  const constants = { zero: floats([2], [0, 0]), zeros: floats([3], [0, 0, 0]) };
  const outputs = { y: 'float32', rows: 'float32' } as const;

  test.each<[string, string, Attributes]>([
    ['forwards', 'zeros', {}],
    ['backwards', 'zeros', { scan_input_directions: [1n], scan_output_directions: [1n] }],
    ['over another axis', 'zero', { scan_input_axes: [1n], scan_output_axes: [-1n] }],
  ])('goes %s', async (_, state, attributes) => {
    const scan = node('Scan', [state, 'x'], ['y', 'rows'], {
      body: body(sum),
      num_scan_inputs: 1n,
      ...attributes,
    });
    await agree(graphOf([scan], { constants, outputs }), { x: x() });
  });

  test('of opset 8 is refused', () => {
    const scan = node('Scan', ['', 'zeros', 'x'], ['y', 'rows'], { body: body(sum), num_scan_inputs: 1n });
    const graph = { ...graphOf([scan], { constants, outputs }), opsets: new Map([['', 8]]) };
    expect(() => specialize(graph, new Map())).toThrow(/the form of opset 8/);
  });
});

test('shapes may depend on the values of inputs', async () => {
  const m = new Model();
  m.output(m.node('Reshape', [m.input('float32', [2, 6]), m.input('int64', [2], [3, 4])]));
  const graph = buildGraph({
    opset: 21,
    inputs: { x: ['float32', 2, 6], shape: ['int64', 2] },
    nodes: [node('Reshape', ['x', 'shape'], ['y'])],
    outputs: { y: 'float32' },
  });
  expect(() => specialize(graph, new Map())).toThrow(
    'Expected input 1 (shape) of node Reshape_y (Reshape) to be known before the run, ' +
      'got a value that depends on the values of "shape"',
  );
  const session = await InferenceSession.create(exportOnnx(graph));
  const input = new Tensor('float32', new Float32Array(12), [2, 6]);
  const dims = (...values: bigint[]) =>
    session.runSync({ x: input, shape: new Tensor('int64', values, [2]) })['y']?.dims;
  expect([dims(3n, 4n), dims(-1n, 2n), dims(3n, 4n)]).toEqual([
    [3, 4],
    [6, 2],
    [3, 4],
  ]);
  expect(() => dims(5n, 5n)).toThrow(/Reshape_y/);
  const later = await session.run({ x: input, shape: new Tensor('int64', [4n, 3n], [2]) });
  expect(later['y']?.dims).toEqual([4, 3]);
  session.release();
});

test.each(['reflect', 'edge', 'wrap'])('padding by %s agrees with onnxruntime', async (mode) => {
  const m = new Model();
  const padded = m.input('float32', [2, 4, 5]);
  m.output(m.node('Pad', [padded, m.list([0, 2, 3, 1, 1, 0])], { mode }));
  m.output(m.node('Pad', [padded, m.list([0, 0, 4, 0, 0, 4])], { mode }));
  await expectAgreement(m, { tolerance: 0 });
});
