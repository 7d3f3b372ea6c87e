import type { Node, StaticGraph } from '../graph/graph.js';
import { elementCount } from '../tensor.js';
import { type Activation, activationOf } from './activation.js';
import { isConstantProduct } from './constant_product.js';
import type { FusedNode } from './fuse.js';
import { lowRankProduct } from './low_rank.js';

const fusesScale = new Set(['MatMul', 'Gemm', lowRankProduct]);

/** The product right behind which the node multiplies by a constant: one number, or one for each output. */
export function scaleOf(
  graph: StaticGraph,
  node: Node,
  absorb: (value: string) => FusedNode | undefined,
): { readonly product: FusedNode; readonly scale: string | number } | undefined {
  const [a = '', b = ''] = node.inputs;
  const dims = (name: string) => graph.values.get(name)?.dims ?? [];
  const outputs = dims(node.outputs[0] ?? '');
  const canScale = (value: string): FusedNode | undefined => {
    const product = absorb(value);
    const isBare =
      product !== undefined &&
      fusesScale.has(product.node.op) &&
      (product.node.inputs[2] ?? '') === '' &&
      product.scale === undefined &&
      product.bias === undefined &&
      product.residual === undefined &&
      product.activation === undefined;
    const fits = dims(value).join() === outputs.join();
    return isBare && fits && isConstantProduct(graph, product.node) ? product : undefined;
  };
  if (node.op === 'Affine') {
    const { alpha, beta } = activationOf(graph, node) as Activation;
    const product = beta === 0 ? canScale(a) : undefined;
    return product === undefined ? undefined : { product, scale: alpha };
  }
  if (node.op !== 'Mul') return undefined;
  for (const [value, scale] of [
    [a, b],
    [b, a],
  ] as const) {
    const data = graph.constants.get(scale);
    const perOutput =
      data?.type === 'float32' &&
      elementCount(data.dims) === outputs.at(-1) &&
      data.dims.at(-1) === outputs.at(-1);
    const product = perOutput ? canScale(value) : undefined;
    if (product !== undefined) return { product, scale };
  }
  return undefined;
}
