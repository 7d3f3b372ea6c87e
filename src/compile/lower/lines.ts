import { intAttribute } from '../../graph/attributes.js';
import type { PlanBuilder } from '../builder.js';
import type { FusedNode } from '../fuse.js';
import { frontAxis, numbersInput, splitDims } from './operands.js';

/** Numbers of a step that works along one axis of a node's first input. */
function lineNumbers(builder: PlanBuilder, x: string, axis: number) {
  const dims = builder.dimsOf(x);
  const [outer, n, inner] = splitDims(dims, frontAxis(axis, dims.length));
  return { outer, n, inner };
}

export function lowerArgExtreme({ node, output }: FusedNode, builder: PlanBuilder): void {
  const x = node.inputs[0] ?? '';
  builder.emit({
    op: 'arg_extreme',
    node,
    inputs: [builder.operand(x)],
    output: builder.operand(output),
    ints: {
      ...lineNumbers(builder, x, intAttribute(node, 'axis', 0)),
      largest: node.op === 'ArgMax' ? 1 : 0,
      last: intAttribute(node, 'select_last_index', 0),
    },
  });
}

export function lowerTopK({ node }: FusedNode, builder: PlanBuilder): void {
  const x = node.inputs[0] ?? '';
  const [k = 0] = numbersInput(builder, node, 1) ?? [];
  const { type, dims } = builder.typeOf(x);
  const axis = intAttribute(node, 'axis', -1);
  const to = dims.with(axis, k);
  const [values, positions] = node.outputs;
  builder.emit({
    op: 'top_k',
    node,
    inputs: [builder.operand(x)],
    outputs: [
      builder.operand(values || builder.temporary(type, to)),
      builder.operand(positions || builder.temporary('int64', to)),
    ],
    ints: { ...lineNumbers(builder, x, axis), k, largest: intAttribute(node, 'largest', 1) },
  });
}

export function lowerCumSum({ node, output }: FusedNode, builder: PlanBuilder): void {
  const x = node.inputs[0] ?? '';
  const [axis = 0] = numbersInput(builder, node, 1) ?? [];
  builder.emit({
    op: 'scan',
    node,
    inputs: [builder.operand(x)],
    output: builder.operand(output),
    ints: {
      ...lineNumbers(builder, x, axis),
      exclusive: intAttribute(node, 'exclusive', 0),
      reverse: intAttribute(node, 'reverse', 0),
    },
  });
}
