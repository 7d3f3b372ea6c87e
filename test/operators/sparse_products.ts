import { expect, test } from 'vitest';
import { exportOnnx } from '../../src/formats/onnx/index.js';
import { InferenceSession, type Isa, type SessionOptions } from '../../src/index.js';
import { loadAddon } from '../../src/native/addon.js';
import type { WeightFormat } from '../../src/sparse/weight_formats.js';
import { compareAll, Model, type Plain, runOnnxruntime } from './support.js';

const isas = loadAddon().availableIsas() as Isa[];
const sessions: SessionOptions[] = [
  ...isas.flatMap((isa) => [1, 3].map((threads) => ({ isa, threads }))),
  { threads: 2 },
];

const activations: (readonly [op: string, attributes?: Plain])[] = [
  ...['Relu', 'Sigmoid', 'Tanh', 'HardSwish', 'Softplus', 'Mish', 'Erf', 'Abs', 'Neg', 'Floor'].map(
    (op) => [op] as const,
  ),
  ['LeakyRelu', { alpha: 0.2 }],
  ['Elu', { alpha: 0.7 }],
  ['Selu'],
  ['HardSigmoid'],
  ['Gelu'],
  ['Gelu', { approximate: 'tanh' }],
  ['Clip'],
];

/** Zeros in blocks of `rows` outputs by one input; [outputs, inputs] row-major. */
function maskedWeights(m: Model, outputs: number, inputs: number, rows: number, sparsity: number): number[] {
  const kept = new Map<number, boolean>();
  return Array.from({ length: outputs * inputs }, (_, i) => {
    const block = Math.floor(Math.floor(i / inputs) / rows) * inputs + (i % inputs);
    if (!kept.has(block)) kept.set(block, m.random() >= sparsity);
    return kept.get(block) ? m.random() * 2 - 1 : 0;
  });
}

/** An operator that multiplies by a weight. */
export interface Product {
  readonly name: string;
  readonly dims: (n: number) => readonly number[];
  readonly outputDims: (n: number) => readonly number[];
  readonly outputs: number;
  readonly inputs: number;
  /** Adds the product of `x`; `weights` are [outputs, inputs]. */
  readonly add: (m: Model, x: string, weight: string, bias: string) => string;
  readonly weightDims: readonly number[];
  /** Whether the weight is stored [inputs, outputs]. */
  readonly transposed?: true;
}

export const inputs = 45;
export const outputs = 47; // no multiple of any block, and the last one padded alike in all of them
/** The format that a mask calls for; of those that are not stated, either way is right. */
const expectedFormats: Record<string, WeightFormat> = {
  '16@0.8': 'block16',
  '16@0.95': 'block16',
  '8@0.8': 'block8',
  '8@0.95': 'block8',
  '4@0.8': 'block4',
  '4@0.95': 'block4',
};

/** What single zeros call for: one token of a product is a case of its own. */
const singleFormat = (product: Product, n: number): WeightFormat =>
  n === 1 && !product.name.includes('Conv') ? 'ell' : 'sell';

/** Tests every product with one token and with several. */
export function testProducts(products: readonly Product[]): void {
  for (const [product, n] of products.flatMap((product) => [1, 23].map((n) => [product, n] as const))) {
    test(`${product.name} with every mask, epilogue, instruction set and thread count, N = ${n}`, async () => {
      const formats = new Set<string>();
      const single = singleFormat(product, n);
      const failures: string[] = [];
      for (const [rows, sparsity] of [16, 8, 4, 1].flatMap((r) =>
        [0.02, 0.5, 0.8, 0.95, 1].map((s) => [r, s] as const),
      )) {
        const m = new Model(22, rows * 100 + sparsity * 10);
        build(m, product, n, rows, sparsity);
        const bytes = exportOnnx(m.graph());
        const expected = await runOnnxruntime(bytes, m.feeds);
        for (const options of sessions) {
          const session = await InferenceSession.create(bytes, options);
          const label = `${rows}@${sparsity}`;
          const [layer] = session.explain(m.feeds);
          formats.add(layer?.format ?? 'none');
          // An image of three pixels is so few that a wider block, half empty, may be as good.
          const fewPixels = n === 1 && product.name.includes('Conv');
          const wanted = fewPixels ? undefined : expectedFormats[label];
          if (wanted !== undefined && layer?.format !== wanted)
            failures.push(`${label}: ${JSON.stringify(layer)}`);
          const problems = compareAll(session.runSync(m.feeds), expected);
          failures.push(...problems.map((problem) => `${label} ${JSON.stringify(options)} ${problem}`));
          session.release();
        }
      }
      expect(failures.slice(0, 12)).toEqual([]);
      expect([...formats].sort()).toEqual(
        expect.arrayContaining(['block16', 'block4', 'block8', 'dense', single]),
      );
    });
  }
}

/** Products of one weight, each with another epilogue. */
function build(m: Model, product: Product, n: number, rows: number, sparsity: number): void {
  const plain = maskedGroups(m, product, rows, sparsity);
  const { outputs: high, inputs: wide } = product;
  const stored = product.transposed
    ? Array.from(
        { length: plain.length },
        (_, i) => plain[(i % high) * wide + Math.floor(i / high)] as number,
      )
    : plain;
  const x = m.input('float32', product.dims(n));
  const weight = m.constant('float32', product.weightDims, stored);
  const bias = m.constant('float32', [high]);
  const residual = m.input('float32', product.outputDims(n));
  const clip = [m.scalar(-0.5), m.scalar(0.75)];
  for (const [i, activation] of [...Array(4).fill(undefined), ...activations].entries()) {
    let y = product.add(m, x, weight, i % 2 === 0 ? bias : '');
    if (Math.floor(i / 2) % 2 === 0) y = m.node('Add', i % 3 === 0 ? [y, residual] : [residual, y]);
    if (activation !== undefined) {
      const [op, attributes] = activation as (typeof activations)[number];
      y = m.node(op, op === 'Clip' ? [y, ...clip] : [y], attributes);
    }
    m.output(y);
  }
}

/** Blocks start anew in each group. */
function maskedGroups(m: Model, product: Product, rows: number, sparsity: number): number[] {
  const groups = product.outputs / outputs;
  return Array.from({ length: groups }, () =>
    maskedWeights(m, outputs, product.inputs, rows, sparsity),
  ).flat();
}
