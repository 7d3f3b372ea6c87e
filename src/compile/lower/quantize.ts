import { OperatorContext } from '../../graph/operators/definition.js';
import { quantizedSplit } from '../../graph/operators/quantize.js';
import type { PlanBuilder } from '../builder.js';
import type { FusedNode } from '../fuse.js';

/** QuantizeLinear and DequantizeLinear: [outer, axis, inner] with a scale and a zero point for each of `axis`. */
export function lowerQuantize({ node, output }: FusedNode, builder: PlanBuilder): void {
  const inputs = node.inputs.map((input) => builder.operand(input));
  const known = node.inputs.map((input) => builder.typeOf(input));
  const [outer, axis, inner] = quantizedSplit(new OperatorContext(node, known, []));
  builder.emit({
    op: node.op === 'QuantizeLinear' ? 'quantize' : 'dequantize',
    node,
    inputs,
    output: builder.operand(output),
    ints: { outer, axis, inner },
  });
}
