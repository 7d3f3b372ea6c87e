import { choiceAttribute, floatAttribute, intAttribute } from '../../graph/attributes.js';
import { fromNumbers, readNumbers } from '../../graph/data.js';
import type { Node } from '../../graph/graph.js';
import {
  directions,
  gateCounts,
  type RecurrentDims,
  type RecurrentOp,
  recurrentDims,
} from '../../graph/operators/recurrent.js';
import { type ActivationOp, recurrentActivations } from '../../graph/operators/recurrent_activations.js';
import { type UnaryOp, unaryCode } from '../../native/codes.js';
import { type Operand, type PlanBuilder, unsupported } from '../builder.js';
import type { FusedNode } from '../fuse.js';
import { constantInput } from './operands.js';
import { layerOf, packMatrices } from './weights.js';

const functions: Readonly<Record<ActivationOp, UnaryOp>> = {
  Relu: 'relu',
  Tanh: 'tanh',
  Sigmoid: 'sigmoid',
  Softplus: 'softplus',
  Affine: 'affine',
  LeakyRelu: 'leakyRelu',
  HardSigmoid: 'hardSigmoid',
  Elu: 'elu',
};

/**
 * LSTM, GRU and RNN: one product of all steps with W, as any linear layer, then one native step that walks through the
 * sequence with products with R. Weights and biases are constants: src/graph/decompose/recurrent.ts takes others apart.
 */
export function lowerRecurrent({ node }: FusedNode, builder: PlanBuilder): void {
  const op = node.op as RecurrentOp;
  for (const [i, name] of node.inputs.entries()) {
    const type = name === '' ? undefined : builder.typeOf(name).type;
    if (type !== undefined && type !== 'float32' && i !== 4)
      throw unsupported(node, `input "${name}" of type ${type}`);
  }
  const dims = recurrentDims(node, (index) => builder.dimsOf(node.inputs[index] ?? ''));
  const linearBeforeReset = op === 'GRU' && intAttribute(node, 'linear_before_reset', 0) !== 0;
  const biases = biasesOf(node, builder, dims, linearBeforeReset);
  const projected = project(node, builder, dims, biases.input);
  const optional = [4, 5, 6, 7].map((index) => node.inputs[index] ?? '');
  const peepholes = optional[3] ?? '';
  const operands: Operand[] = [...projected, ...optional.filter((name) => name !== '')].map((name) =>
    builder.operand(name),
  );
  if (biases.recurrent !== undefined)
    operands.push(
      builder.operand(builder.constant(fromNumbers('float32', [biases.recurrent.length], biases.recurrent))),
    );
  const outputs = ['y', 'y_h', 'y_c'].map((key, i) => ({ key, name: node.outputs[i] ?? '' }));
  const activations = recurrentActivations(node, dims.directions, (reason) => unsupported(node, reason));
  builder.emit({
    op: 'recurrent',
    node,
    inputs: operands,
    outputs: outputs.flatMap(({ name }) => (name === '' ? [] : [builder.operand(name)])),
    ints: {
      kind: ['LSTM', 'GRU', 'RNN'].indexOf(op),
      steps: dims.steps,
      batch: dims.batch,
      hidden: dims.hidden,
      batch_first: dims.batchFirst ? 1 : 0,
      reverse: choiceAttribute(node, 'direction', directions, 'forward') === 'reverse' ? 1 : 0,
      linear_before_reset: linearBeforeReset ? 1 : 0,
      input_forget: op === 'LSTM' ? intAttribute(node, 'input_forget', 0) : 0,
      has_lengths: optional[0] === '' ? 0 : 1,
      has_h: optional[1] === '' ? 0 : 1,
      has_c: optional[2] === '' ? 0 : 1,
      has_peepholes: peepholes === '' ? 0 : 1,
      has_bias: biases.recurrent === undefined ? 0 : 1,
      ...Object.fromEntries(outputs.map(({ key, name }) => [`has_${key}`, name === '' ? 0 : 1])),
      activations: activations.map((one) => unaryCode(functions[one.op])),
    },
    floats: {
      alphas: activations.map(({ alpha }) => alpha),
      betas: activations.map(({ beta }) => beta),
      clip: floatAttribute(node, 'clip', 0),
    },
    weights: packRecurrence(node, builder, dims),
  });
}

interface Biases {
  /** For each direction: added to the product with W, [gates * hidden], or none. */
  readonly input: readonly string[];
  /** [directions * hidden]: added to the product of a GRU with R before the reset gate multiplies it. */
  readonly recurrent: readonly number[] | undefined;
}

/** B is [directions, 2 * gates * hidden]: Wb, then Rb. They are one bias but where a reset gate stands between them. */
function biasesOf(node: Node, builder: PlanBuilder, dims: RecurrentDims, linearBeforeReset: boolean): Biases {
  if ((node.inputs[3] ?? '') === '') return { input: [], recurrent: undefined };
  const all = readNumbers(constantInput(builder, node, 3, 'a bias computed at run time'));
  const rows = gateCounts[node.op as RecurrentOp] * dims.hidden;
  const summed = linearBeforeReset ? rows - dims.hidden : rows;
  const recurrent: number[] = [];
  const input = Array.from({ length: dims.directions }, (_, d) => {
    const own = all.slice(d * 2 * rows, (d + 1) * 2 * rows);
    recurrent.push(...own.slice(rows + summed));
    const sums = own.slice(0, rows).map((value, i) => (i < summed ? value + (own[rows + i] ?? 0) : value));
    return builder.constant(fromNumbers('float32', [rows], sums));
  });
  return { input, recurrent: linearBeforeReset ? recurrent : undefined };
}

/** X W^T + bias of each direction for all steps: [steps * batch, gates * hidden], in the order of X. */
function project(
  node: Node,
  builder: PlanBuilder,
  { steps, batch, inputs, hidden }: RecurrentDims,
  biases: readonly string[],
): string[] {
  const rows = gateCounts[node.op as RecurrentOp] * hidden;
  const n = steps * batch;
  const step = { op: 'matmul', x: [n, inputs], y: [n, rows], ints: { n } } as const;
  return packMatrices(builder, layerOf(builder, node, 1), step).weights.map((weight, direction) => {
    const bias = biases[direction];
    const output = builder.temporary('float32', [n, rows]);
    const x = builder.operand(node.inputs[0] ?? '', [n, inputs]);
    builder.emit({
      op: 'matmul',
      node,
      inputs: bias === undefined ? [x] : [x, builder.operand(bias)],
      output: builder.operand(output),
      ints: { n, has_bias: bias === undefined ? 0 : 1 },
      weights: [weight],
    });
    return output;
  });
}

/** R of each direction as one matrix; of a GRU as two, since its third gate multiplies what the second lets through. */
function packRecurrence(
  node: Node,
  builder: PlanBuilder,
  { batch, hidden, directions: count }: RecurrentDims,
): number[] {
  const pieces = node.op === 'GRU' ? [2 * hidden, hidden] : [gateCounts[node.op as RecurrentOp] * hidden];
  const matrices = [];
  for (let direction = 0, offset = 0; direction < count; direction++) {
    for (const rows of pieces) {
      matrices.push({ rows, cols: hidden, offset, rowStride: hidden, colStride: 1 });
      offset += rows * hidden;
    }
  }
  const y = [batch, pieces[0] ?? 0];
  const step = { op: 'matmul', x: [batch, hidden], y, ints: { n: batch } } as const;
  return packMatrices(builder, layerOf(builder, node, 2), step, matrices).weights;
}
