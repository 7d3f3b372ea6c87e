import { choiceAttribute, intAttribute } from '../../graph/attributes.js';
import type { Node } from '../../graph/graph.js';
import { elementRows, type IndexedRows, tupleRows } from '../../graph/operators/indexed.js';
import { type BinaryOp, binaryCode } from '../../native/codes.js';
import { elementCount } from '../../tensor.js';
import type { PlanBuilder } from '../builder.js';
import type { FusedNode } from '../fuse.js';
import { emitCopy } from './movement.js';
import { frontAxis } from './operands.js';

/** The rows that a node's indices name. */
function rowsOf(builder: PlanBuilder, node: Node): IndexedRows {
  const [data, indices] = [0, 1].map((i) => builder.dimsOf(node.inputs[i] ?? '')) as [number[], number[]];
  if (node.op.endsWith('ND')) return tupleRows(data, indices, intAttribute(node, 'batch_dims', 0));
  return elementRows(data, indices, frontAxis(intAttribute(node, 'axis', 0), data.length));
}

const numbersOf = ({ dims, baseStrides, sizes, strides, inner }: IndexedRows) => ({
  dims,
  base_strides: baseStrides,
  index_sizes: sizes,
  index_strides: strides,
  inner,
});

export function lowerGatherAt({ node, output }: FusedNode, builder: PlanBuilder): void {
  builder.emit({
    op: 'gather_at',
    node,
    inputs: node.inputs.map((input) => builder.operand(input)),
    output: builder.operand(output),
    ints: numbersOf(rowsOf(builder, node)),
  });
}

const reductions: Readonly<Record<string, BinaryOp>> = { add: 'add', mul: 'mul', min: 'min', max: 'max' };

/** A copy of the data, and the updates in their places. */
export function lowerScatterAt({ node, output }: FusedNode, builder: PlanBuilder): void {
  const [data = '', indices = '', updates = ''] = node.inputs;
  const count = [elementCount(builder.dimsOf(data))];
  emitCopy(builder, node, data, output, { dims: count, xStrides: [1], yStrides: [1] });
  const reduction =
    reductions[choiceAttribute(node, 'reduction', ['none', 'add', 'mul', 'min', 'max'], 'none')];
  builder.emit({
    op: 'scatter_at',
    node,
    inputs: [builder.operand(updates), builder.operand(indices)],
    output: builder.operand(output),
    ints: {
      ...numbersOf(rowsOf(builder, node)),
      reduction: reduction === undefined ? -1 : binaryCode(reduction),
    },
  });
}
