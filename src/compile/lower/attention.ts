import { floatAttribute, intAttribute, intsAttribute } from '../../graph/attributes.js';
import type { PlanBuilder } from '../builder.js';
import type { FusedNode } from '../fuse.js';

const counts = [
  ...['batch', 'heads', 'kv_heads', 'queries', 'keys', 'size', 'v_size'],
  ...['causal', 'past'],
] as const;
const lists = ['q_strides', 'k_strides', 'v_strides', 'y_strides', 'mask_strides', 'starts'] as const;

/** One step of native/runtime/ops/attention.cc, whose numbers are the node's attributes. */
export function lowerFusedAttention({ node, output }: FusedNode, builder: PlanBuilder): void {
  builder.emit({
    op: 'attention',
    node,
    inputs: node.inputs.map((input) => builder.operand(input)),
    output: builder.operand(output),
    ints: {
      has_mask: node.inputs.length > 3 ? 1 : 0,
      ...Object.fromEntries(counts.map((name) => [name, intAttribute(node, name, 0)])),
      ...Object.fromEntries(lists.map((name) => [name, intsAttribute(node, name) ?? []])),
    },
    floats: { scale: floatAttribute(node, 'scale', 1) },
  });
}
