import { choiceAttribute, intAttribute } from '../attributes.js';
import type { Node } from '../graph.js';
import type { OperatorContext, OperatorDefinition, OperatorFamily, TypeAndDims } from './definition.js';

/** Gates of each recurrent operator: rows of a weight are [gates * hidden]. */
export const gateCounts = { LSTM: 4, GRU: 3, RNN: 1 } as const;

export type RecurrentOp = keyof typeof gateCounts;

export const directions = ['forward', 'reverse', 'bidirectional'] as const;

/** LSTM, GRU and RNN of one layer over [steps, batch, inputs], or [batch, steps, inputs] in layout 1. */
export const recurrences: OperatorFamily = Object.fromEntries(
  Object.keys(gateCounts).map((op) => [op, definition(op as RecurrentOp)]),
);

/** What the dims of a recurrent node say. */
export interface RecurrentDims {
  readonly steps: number;
  readonly batch: number;
  readonly inputs: number;
  readonly directions: number;
  readonly hidden: number;
  /** Whether the batch is the outermost axis of every tensor, instead of the steps or directions. */
  readonly batchFirst: boolean;
}

/** @param dimsOf dims of an input by its index; those of X and R are read */
export function recurrentDims(node: Node, dimsOf: (index: number) => readonly number[]): RecurrentDims {
  const batchFirst = intAttribute(node, 'layout', 0) !== 0;
  const [outer = 0, inner = 0, inputs = 0] = dimsOf(0);
  const [steps, batch] = batchFirst ? [inner, outer] : [outer, inner];
  const count = choiceAttribute(node, 'direction', directions, 'forward') === 'bidirectional' ? 2 : 1;
  return { steps, batch, inputs, directions: count, hidden: dimsOf(2)[2] ?? 0, batchFirst };
}

function definition(op: RecurrentOp): OperatorDefinition {
  return {
    infer: (context) => {
      const type = context.type(0);
      if (context.dims(0).length !== 3) throw context.shapeError('the input needs three axes');
      if (context.dims(2).length !== 3) throw context.shapeError('the recurrence weights need three axes');
      const dims = recurrentDims(context.node, (index) => context.dims(index));
      checkOperands(context, op, dims);
      const { steps, batch, directions: d, hidden, batchFirst } = dims;
      const all = batchFirst ? [batch, steps, d, hidden] : [steps, d, batch, hidden];
      const last = batchFirst ? [batch, d, hidden] : [d, batch, hidden];
      const outputs: TypeAndDims[] = [
        { type, dims: all },
        { type, dims: last },
      ];
      return op === 'LSTM' ? [...outputs, { type, dims: last }] : outputs;
    },
  };
}

function checkOperands(context: OperatorContext, op: RecurrentOp, dims: RecurrentDims): void {
  const { batch, inputs, directions: d, hidden, batchFirst } = dims;
  const rows = gateCounts[op] * hidden;
  const state = batchFirst ? [batch, d, hidden] : [d, batch, hidden];
  const declared = intAttribute(context.node, 'hidden_size', hidden);
  if (declared !== hidden)
    throw context.shapeError(`hidden_size ${declared} differs from the weights' ${hidden}`);
  const expect = (index: number, what: string, wanted: readonly number[]) => {
    if (!context.has(index)) return;
    if (context.dims(index).join() !== wanted.join())
      throw context.shapeError(`${what} needs dims [${wanted.join(', ')}]`);
    if (index !== 4 && context.type(index) !== context.type(0))
      throw context.typeError(`${what} differs from the input in type`);
  };
  context.input(1);
  expect(1, 'the weight', [d, rows, inputs]);
  expect(2, 'the recurrence weight', [d, rows, hidden]);
  expect(3, 'the bias', [d, 2 * rows]);
  expect(4, 'sequence_lens', [batch]);
  if (context.has(4) && context.type(4) !== 'int32') throw context.typeError('sequence_lens must be int32');
  expect(5, 'the initial state', state);
  if (op !== 'LSTM') return;
  expect(6, 'the initial cell', state);
  expect(7, 'the peepholes', [d, 3 * hidden]);
}
