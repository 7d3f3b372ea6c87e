import { describe, expect, test } from 'vitest';
import { exportOnnx, importOnnx } from '../../src/formats/onnx/index.js';
import { specialize } from '../../src/graph/index.js';
import { InferenceSession } from '../../src/index.js';
import { applyPruning, findLayers, planPruning } from '../../src/prune/index.js';
import { agreeOnRandom, compareAll, Model, type Plain, runEspalier, runOnnxruntime } from './support.js';

const gates = { LSTM: 4, GRU: 3, RNN: 1 } as const;
type Op = keyof typeof gates;

interface Form {
  readonly op: Op;
  readonly steps: number;
  readonly batch: number;
  readonly inputs: number;
  readonly hidden: number;
  readonly direction: 'forward' | 'reverse' | 'bidirectional';
  readonly has: {
    readonly bias: boolean;
    readonly lengths: boolean;
    readonly state: boolean;
    readonly peepholes: boolean;
  };
  readonly attributes?: Plain;
  /** Whether weights are inputs of the model. */
  readonly fed?: boolean;
}

/** Weights small enough that gates do not saturate. */
function addRecurrent(m: Model, form: Form): string[] {
  const { op, steps, batch, inputs, hidden, direction, has, attributes } = form;
  const d = direction === 'bidirectional' ? 2 : 1;
  const rows = gates[op] * hidden;
  const small = () => (m.random() - 0.5) / 2;
  const weight = (dims: number[]) =>
    form.fed === true ? m.input('float32', dims, small) : m.constant('float32', dims, small);
  const x = m.input('float32', [steps, batch, inputs]);
  const operands = [x, weight([d, rows, inputs]), weight([d, rows, hidden])];
  operands.push(has.bias ? weight([d, 2 * rows]) : '');
  operands.push(has.lengths ? m.input('int32', [batch], () => m.int(1, steps)) : '');
  operands.push(has.state ? m.input('float32', [d, batch, hidden]) : '');
  if (op === 'LSTM') {
    operands.push(has.state ? m.input('float32', [d, batch, hidden]) : '');
    operands.push(has.peepholes ? weight([d, 3 * hidden]) : '');
  }
  return m.nodes(op, operands, op === 'LSTM' ? 3 : 2, { hidden_size: hidden, direction, ...attributes });
}

const functions = ['Relu', 'Tanh', 'Sigmoid', 'Softplus', 'Affine', 'LeakyRelu', 'HardSigmoid', 'Elu'];
/** onnxruntime wants parameters for those that have some. */
const parameters = new Set(['Affine', 'LeakyRelu', 'HardSigmoid', 'Elu']);

function randomForm(m: Model, op: Op): Form {
  const has = {
    bias: m.int(0, 2) > 0,
    lengths: m.int(0, 2) === 0,
    state: m.int(0, 1) === 1,
    peepholes: m.int(0, 1) === 1,
  };
  const direction = m.pick(['forward', 'reverse', 'bidirectional'] as const);
  const d = direction === 'bidirectional' ? 2 : 1;
  const attributes: Record<string, Plain[string]> = {};
  if (m.int(0, 2) === 0) attributes['clip'] = 0.3;
  if (op === 'GRU') attributes['linear_before_reset'] = m.int(0, 1);
  if (op === 'LSTM' && !has.peepholes) attributes['input_forget'] = m.int(0, 1);
  if (m.int(0, 1) === 1) {
    const each = { LSTM: 3, GRU: 2, RNN: 1 }[op];
    const names = Array.from({ length: each * d }, (_, i) =>
      i % each === 0 && op !== 'RNN' ? 'HardSigmoid' : m.pick(functions),
    );
    const isAll = names.every((name) => parameters.has(name));
    // Without parameters, onnxruntime's Affine is 0.
    attributes['activations'] = isAll ? names : names.map((name) => (name === 'Affine' ? 'Tanh' : name));
    if (isAll) {
      attributes['activation_alpha'] = names.map(() => 0.3);
      attributes['activation_beta'] = names.map(() => 0.4);
    }
  }
  const [steps, batch, inputs, hidden] = [
    m.int(1, 5),
    m.pick([1, 1, 2, 3, 30]),
    m.int(1, 20),
    m.pick([1, 5, 16, 33]),
  ];
  return { op, steps, batch, inputs, hidden, direction, has, attributes };
}

for (const op of ['LSTM', 'GRU', 'RNN'] as const) {
  agreeOnRandom(
    `${op} in random forms`,
    40,
    (m) => {
      const form = randomForm(m, op);
      const outputs = addRecurrent(m, form);
      const kept = outputs.filter(() => m.int(0, 3) > 0);
      m.output(...(kept.length > 0 ? kept : outputs));
      return form;
    },
    { negligible: 1e-6 },
  );
}

for (const op of ['LSTM', 'GRU', 'RNN'] as const) {
  agreeOnRandom(
    `${op} with weights of run time`,
    20,
    (m) => {
      const form = { ...randomForm(m, op), fed: true };
      const outputs = addRecurrent(m, form);
      const kept = outputs.filter(() => m.int(0, 3) > 0);
      m.output(...(kept.length > 0 ? kept : outputs));
      return form;
    },
    { negligible: 1e-6 },
  );
}

const plain: Form = {
  op: 'LSTM',
  steps: 6,
  batch: 1,
  inputs: 48,
  hidden: 64,
  direction: 'forward',
  has: { bias: true, lengths: false, state: true, peepholes: false },
};

describe('recurrent weights are layers', () => {
  test.each([
    ['unstructured', 'LSTM', 1],
    ['16x1', 'LSTM', 1],
    ['16x1', 'GRU', 4],
    ['unstructured', 'GRU', 40],
  ] as const)('that prune to %s of a %s with batch %i, and run sparse', async (pattern, op, batch) => {
    const m = new Model();
    m.output(...addRecurrent(m, { ...plain, op, batch, direction: 'bidirectional' }));
    const graph = m.graph();
    expect(
      findLayers(graph).map(({ name, groups, outputs, inputs }) => [name, groups, outputs, inputs]),
    ).toEqual([
      [`${op}_value0_0.W`, 2, gates[op] * 64, 48],
      [`${op}_value0_0.R`, 2, gates[op] * 64, 64],
    ]);
    const pruned = applyPruning(graph, planPruning(graph, { sparsity: 0.9, pattern }));
    const bytes = exportOnnx(pruned);
    const expected = await runOnnxruntime(bytes, m.feeds);
    for (const weightStorage of ['float32', 'float16'] as const) {
      const actual = await runEspalier(bytes, m.feeds, { threads: 2, weightStorage });
      const tolerance = weightStorage === 'float32' ? 1e-5 : 2e-3; // float16 rounds each weight to 2^-11 of itself
      expect(compareAll(actual, expected, { tolerance })).toEqual([]);
    }
    const session = await InferenceSession.create(bytes, { threads: 1 });
    expect(session.explain(m.feeds).map(({ format }) => format)).not.toContain('dense');
    session.release();
  });

  test('whose copy a pruned node reads when another node shares them', () => {
    const m = new Model();
    const w = m.constant('float32', [1, 16, 4]);
    const r = m.constant('float32', [1, 16, 4]);
    const [y = ''] = m.nodes('LSTM', [m.input('float32', [2, 1, 4]), w, r], 1, { hidden_size: 4 });
    const rows = m.node('Squeeze', [y, m.list([1])]);
    m.output(m.nodes('LSTM', [rows, w, r], 1, { hidden_size: 4 })[0] as string);
    const graph = m.graph();
    const first = findLayers(graph)[1]?.name ?? '';
    const pruned = applyPruning(graph, planPruning(graph, { sparsity: 0.5, include: [first] }));
    expect(pruned.nodes.map(({ op, inputs }) => [op, inputs.slice(1)])).toEqual([
      ['LSTM', [w, `${r}_pruned`]],
      ['Squeeze', graph.nodes[1]?.inputs.slice(1)],
      ['LSTM', [w, r]],
    ]);
  });
});

describe('what is refused', () => {
  const message = async (build: (m: Model) => string[], feeds?: (m: Model) => void): Promise<string> => {
    const m = new Model();
    m.output(...build(m));
    feeds?.(m);
    return runEspalier(exportOnnx(m.graph()), m.feeds).then(
      () => 'nothing',
      (error: Error) => error.message,
    );
  };

  test('activations without a kernel', async () => {
    const build = (m: Model) =>
      addRecurrent(m, { ...plain, op: 'RNN', attributes: { activations: ['Softsign'] } });
    expect(await message(build)).toBe('Node "RNN_value0_0" (RNN): the activation Softsign is not supported');
  });

  test('weights of run time over a long sequence', () => {
    const m = new Model();
    m.output(...addRecurrent(m, { ...plain, op: 'RNN', steps: 1025, fed: true }));
    expect(() => m.graph()).toThrow(/weights of run time over more than 1024 steps/);
  });

  test('sequence lengths outside the sequence', async () => {
    const build = (m: Model) => {
      const x = m.input('float32', [2, 1, 4]);
      const lengths = m.input('int32', [1], [3]);
      const weights = [m.constant('float32', [1, 3, 4]), m.constant('float32', [1, 3, 3])];
      return m.nodes('RNN', [x, ...weights, '', lengths], 1, { hidden_size: 3 });
    };
    expect(await message(build)).toMatch(/a sequence length is not in \[0, steps\]/);
  });

  test.each([
    ['weights', [1, 12, 5], [1, 12, 3], 'the weight needs dims [1, 12, 4]'],
    ['recurrence weights', [1, 12, 4], [1, 11, 3], 'the recurrence weight needs dims [1, 12, 3]'],
  ])('%s of other dims', (_, w, r, expected) => {
    const m = new Model();
    const x = m.input('float32', [2, 1, 4]);
    m.output(...m.nodes('LSTM', [x, m.constant('float32', w), m.constant('float32', r)], 1));
    expect(() => m.graph()).toThrow(expected);
  });
});

test('the shapes that batch-first models declare are those of the standard', () => {
  const m = new Model();
  const x = m.input('float32', [7, 2, 4]);
  const weights = [m.constant('float32', [2, 12, 4]), m.constant('float32', [2, 12, 3])];
  m.output(...m.nodes('LSTM', [x, ...weights], 3, { hidden_size: 3, layout: 1, direction: 'bidirectional' }));
  const graph = importOnnx(exportOnnx(m.graph()));
  const { outputs } = specialize(graph, new Map());
  expect(outputs.map(({ dims }) => dims)).toEqual([
    [7, 2, 2, 3],
    [7, 2, 3],
    [7, 2, 3],
  ]);
});
