import type { Node, StaticGraph } from '../graph/graph.js';
import { elementCount } from '../tensor.js';
import { type Activation, activationOf } from './activation.js';
import { fuseAttention } from './attention.js';
import { isConstantProduct } from './constant_product.js';
import { fuseLowRank, lowRankProduct } from './low_rank.js';
import { recognisePatterns, withoutDead } from './recognise/index.js';
import { scaleOf } from './scale.js';
import { countUses } from './uses.js';

/** A node with what its kernel does in the same pass: out = activation(scale * node(inputs) + bias + residual). */
export interface FusedNode {
  readonly node: Node;
  readonly output: string;
  /** Value [outputs], or one number, that a product is multiplied by. */
  readonly scale?: string | number;
  /** Value [outputs] added to a product (MatMul, whose ONNX form has none). */
  readonly bias?: string;
  /** Value of the output's shape. */
  readonly residual?: string;
  readonly activation?: Activation;
}

const fusesActivation = new Set([
  ...['Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'BatchNormalization', lowRankProduct],
]);
const fusesResidual = new Set(['Conv', 'MatMul', 'Gemm', lowRankProduct]);
const fusesBias = new Set(['MatMul', lowRankProduct]);

/**
 * Rewrites patterns that exporters decompose, then lets products absorb the elementwise nodes behind them. The graph
 * that comes back has the constants that the nodes read.
 */
export function fuse(graph: StaticGraph): { readonly graph: StaticGraph; readonly nodes: FusedNode[] } {
  const recognised = withoutDead(fuseAttention(recognisePatterns(withoutDead(fuseLowRank(graph)))));
  return { graph: recognised, nodes: fuseEpilogues(recognised) };
}

function fuseEpilogues(graph: StaticGraph): FusedNode[] {
  const uses = countUses(graph);
  const dims = (name: string) => graph.values.get(name)?.dims ?? [];
  const pending = new Map<string, FusedNode>(); // by output, still open for more
  const order: (FusedNode | undefined)[] = [];
  const place = new Map<string, number>(); // output -> index in order

  for (const node of graph.nodes) {
    const [first = '', second = ''] = node.inputs;
    const output = node.outputs[0] ?? '';
    let fused: FusedNode = { node, output };
    const absorb = (input: string): FusedNode | undefined => {
      const producer = pending.get(input);
      return producer !== undefined && uses.get(input) === 1 ? producer : undefined;
    };
    const activation = isFloat(graph, first) ? activationOf(graph, node) : undefined;
    const behind = activation === undefined ? undefined : absorb(first);
    let absorbed: string | undefined;
    const scaled = scaleOf(graph, node, absorb);
    if (scaled !== undefined) {
      fused = { ...scaled.product, scale: scaled.scale, output };
      absorbed = scaled.product.output;
    } else if (
      behind !== undefined &&
      behind.activation === undefined &&
      fusesActivation.has(behind.node.op)
    ) {
      fused = { ...behind, activation: activation as Activation, output };
      absorbed = first;
    } else if (node.op === 'Add') {
      for (const [input, other] of [
        [first, second],
        [second, first],
      ] as const) {
        const product = absorb(input);
        if (product === undefined || product.activation !== undefined || input === other) continue;
        const isBias =
          fusesBias.has(product.node.op) &&
          product.bias === undefined &&
          (product.node.inputs[2] ?? '') === '' &&
          product.residual === undefined &&
          graph.constants.has(product.node.inputs[1] ?? '') &&
          graph.constants.has(other) &&
          dims(other).length >= 1 &&
          elementCount(dims(other)) === dims(output).at(-1) &&
          dims(other).at(-1) === dims(output).at(-1);
        const isResidual =
          fusesResidual.has(product.node.op) &&
          product.residual === undefined &&
          isConstantProduct(graph, product.node) &&
          dims(other).join() === dims(output).join() &&
          dims(input).join() === dims(output).join();
        if (isBias && dims(input).join() === dims(output).join()) fused = { ...product, bias: other, output };
        else if (isResidual) fused = { ...product, residual: other, output };
        else continue;
        absorbed = input;
        break;
      }
    }
    if (absorbed !== undefined) {
      const at = place.get(absorbed);
      if (at !== undefined) order[at] = undefined; // it runs here instead, where all its operands are known
      pending.delete(absorbed);
    }
    place.set(output, order.length);
    order.push(fused);
    if (fusesActivation.has(fused.node.op)) pending.set(output, fused);
  }
  return order.filter((fused) => fused !== undefined);
}

function isFloat(graph: StaticGraph, name: string): boolean {
  return graph.values.get(name)?.type === 'float32';
}
