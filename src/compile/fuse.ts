import {
  choiceAttribute,
  floatAttribute,
  floatValue,
  intAttribute,
  intsAttribute,
  intsValue,
} from '../graph/attributes.js';
import { readNumbers } from '../graph/data.js';
import type { Attribute, Node, StaticGraph } from '../graph/graph.js';
import { elementCount } from '../tensor.js';
import { type Activation, activationOf } from './activation.js';
import { fuseLowRank, lowRankProduct } from './low_rank.js';
import { countUses, findProducers } from './uses.js';

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
const fusesScale = new Set(['MatMul', 'Gemm', lowRankProduct]);

/** What the native operators can do in one step. */
export interface FusionFeatures {
  readonly lowRank: boolean;
  readonly scale: boolean;
}

/**
 * Rewrites patterns that exporters decompose, then lets products absorb the elementwise nodes behind them. The graph
 * that comes back has the constants that the nodes read.
 */
export function fuse(
  graph: StaticGraph,
  features: FusionFeatures,
): { readonly graph: StaticGraph; readonly nodes: FusedNode[] } {
  const products = features.lowRank ? withoutDead(fuseLowRank(graph)) : graph;
  const recognised = recognisePatterns(products);
  return { graph: recognised, nodes: fuseEpilogues(recognised, features) };
}

/** Pad of zeros goes into the Conv behind it; x * HardSigmoid(x; 1/6, 1/2), x * clip(x + 3, 0, 6) / 6 and x * Sigmoid(x) become one node each; so do scalar Mul and Add. */
function recognisePatterns(graph: StaticGraph): StaticGraph {
  let current = graph;
  for (const rewrite of [padIntoWindow, hardSwish, silu, scalarAffine, mergeAffine]) {
    const producers = findProducers(current);
    const uses = countUses(current);
    const nodes = current.nodes.map((node) => rewrite({ graph: current, producers, uses, node }) ?? node);
    current = withoutDead({ ...current, nodes });
  }
  return current;
}

interface Match {
  readonly graph: StaticGraph;
  readonly producers: ReadonlyMap<string, Node>;
  readonly uses: ReadonlyMap<string, number>;
  readonly node: Node;
}

/** The one number a float32 constant holds. */
function scalar(graph: StaticGraph, name: string | undefined): number | undefined {
  const data = graph.constants.get(name ?? '');
  return data?.type === 'float32' && elementCount(data.dims) === 1 ? readNumbers(data)[0] : undefined;
}

function isFloat(graph: StaticGraph, name: string | undefined): boolean {
  return graph.values.get(name ?? '')?.type === 'float32';
}

function replaceWith(
  node: Node,
  op: string,
  input: string,
  attributes: readonly [string, Attribute][] = [],
): Node {
  return { ...node, op, inputs: [input], attributes: new Map(attributes) };
}

const near = (a: number | undefined, b: number) => a !== undefined && Math.abs(a - b) < 1e-6;

/** Mul's other operand when one operand is `x`. */
function otherOperand(node: Node, x: string): string | undefined {
  if (node.inputs[0] === x) return node.inputs[1];
  return node.inputs[1] === x ? node.inputs[0] : undefined;
}

/** Whether `name` is clip(x + 3, 0, 6); gives x. */
function relu6OfShifted({ graph, producers }: Match, name: string | undefined): string | undefined {
  const clip = producers.get(name ?? '');
  if (clip?.op !== 'Clip') return undefined;
  const bounds = activationOf(graph, clip);
  const shift = producers.get(clip.inputs[0] ?? '');
  if (!near(bounds?.alpha, 0) || !near(bounds?.beta, 6) || shift?.op !== 'Add') return undefined;
  const [a, b] = shift.inputs;
  if (near(scalar(graph, b), 3)) return a;
  return near(scalar(graph, a), 3) ? b : undefined;
}

function hardSwish(match: Match): Node | undefined {
  const { graph, producers, node } = match;
  const [a = '', b = ''] = node.inputs;
  if (!isFloat(graph, node.outputs[0])) return undefined;
  const dims = (name: string) => graph.values.get(name)?.dims.join();
  const sameShape = (x: string) => dims(x) === dims(node.outputs[0] ?? ''); // constants of more axes add axes
  if (node.op === 'Div' && near(scalar(graph, b), 6)) {
    const product = producers.get(a);
    if (product?.op !== 'Mul') return undefined;
    for (const side of product.inputs) {
      const x = relu6OfShifted(match, side);
      if (x !== undefined && otherOperand(product, side) === x && sameShape(x))
        return replaceWith(node, 'HardSwish', x);
    }
    return undefined;
  }
  if (node.op !== 'Mul') return undefined;
  for (const side of [a, b]) {
    const gate = producers.get(side);
    const x = otherOperand(node, side);
    if (gate === undefined || x === undefined) continue;
    const activation = gate.op === 'HardSigmoid' ? activationOf(graph, gate) : undefined;
    const isGate = near(activation?.alpha, 1 / 6) && near(activation?.beta, 0.5);
    if (isGate && gate.inputs[0] === x) return replaceWith(node, 'HardSwish', x);
  }
  return undefined;
}

/** Zero padding of the spatial axes before a Conv is padding of the Conv. */
function padIntoWindow({ graph, producers, node }: Match): Node | undefined {
  const pad = producers.get(node.inputs[0] ?? '');
  if (node.op !== 'Conv' || pad?.op !== 'Pad') return undefined;
  const [x = '', padsName = '', valueName = '', axesName = ''] = pad.inputs;
  const padsData = graph.constants.get(padsName);
  const rank = graph.values.get(x)?.dims.length ?? 0;
  const own = intsAttribute(node, 'pads') ?? new Array<number>(2 * (rank - 2)).fill(0);
  const plain =
    choiceAttribute(pad, 'mode', ['constant', 'reflect', 'edge', 'wrap'], 'constant') === 'constant' &&
    (valueName === '' || scalar(graph, valueName) === 0) &&
    choiceAttribute(node, 'auto_pad', ['NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'], 'NOTSET') === 'NOTSET';
  if (!plain || padsData === undefined || axesName !== '') return undefined;
  const pads = readNumbers(padsData);
  const [before, after] = [pads.slice(0, rank), pads.slice(rank)];
  const outsideWindow = [...before.slice(0, 2), ...after.slice(0, 2)].some((count) => count !== 0);
  if (pads.length !== 2 * rank || outsideWindow || pads.some((count) => count < 0)) return undefined;
  const sums = [...before.slice(2), ...after.slice(2)].map((count, i) => count + (own[i] ?? 0));
  const attributes = new Map(node.attributes).set('pads', intsValue(sums));
  return { ...node, inputs: [x, ...node.inputs.slice(1)], attributes };
}

function silu({ graph, producers, node }: Match): Node | undefined {
  if (node.op !== 'Mul' || !isFloat(graph, node.outputs[0])) return undefined;
  for (const side of node.inputs) {
    const gate = producers.get(side);
    const x = otherOperand(node, side);
    if (gate?.op === 'Sigmoid' && x !== undefined && gate.inputs[0] === x)
      return replaceWith(node, 'Silu', x);
  }
  return undefined;
}

/** Whether a float32 holds the number with its full precision, so that a product with it is not lost or infinite. */
function isOrdinary(value: number): boolean {
  return value === 0 || (Math.abs(value) >= 2 ** -126 && Math.abs(value) < 2 ** 128);
}

function affineNode(node: Node, input: string, alpha: number, beta: number): Node {
  return replaceWith(node, 'Affine', input, [
    ['alpha', floatValue(alpha)],
    ['beta', floatValue(beta)],
  ]);
}

function scalarAffine({ graph, node }: Match): Node | undefined {
  const [a = '', b = ''] = node.inputs;
  const dims = graph.values.get(node.outputs[0] ?? '')?.dims;
  const sameShape = (x: string) =>
    isFloat(graph, x) && !graph.constants.has(x) && graph.values.get(x)?.dims.join() === dims?.join();
  const right = scalar(graph, b);
  if (right !== undefined && sameShape(a)) {
    if (node.op === 'Mul') return affineNode(node, a, right, 0);
    if (node.op === 'Div' && isOrdinary(right) && right !== 0 && isOrdinary(1 / right))
      return affineNode(node, a, 1 / right, 0);
    if (node.op === 'Add') return affineNode(node, a, 1, right);
    if (node.op === 'Sub') return affineNode(node, a, 1, -right);
  }
  const left = scalar(graph, a);
  if (left !== undefined && sameShape(b)) {
    if (node.op === 'Mul') return affineNode(node, b, left, 0);
    if (node.op === 'Add') return affineNode(node, b, 1, left);
    if (node.op === 'Sub') return affineNode(node, b, -1, left);
  }
  return undefined;
}

/** Two scalar affine nodes in a row are one; an exporter's learnable scale-and-shift makes such pairs. */
function mergeAffine({ graph, producers, uses, node }: Match): Node | undefined {
  const first = producers.get(node.inputs[0] ?? '');
  if (node.op !== 'Affine' || first?.op !== 'Affine' || uses.get(node.inputs[0] ?? '') !== 1)
    return undefined;
  const outer = activationOf(graph, node);
  const inner = activationOf(graph, first);
  if (outer === undefined || inner === undefined) return undefined;
  const alpha = outer.alpha * inner.alpha;
  const beta = outer.alpha * inner.beta + outer.beta;
  return isOrdinary(alpha) && isOrdinary(beta)
    ? affineNode(node, first.inputs[0] ?? '', alpha, beta)
    : undefined;
}

function withoutDead(graph: StaticGraph): StaticGraph {
  const live = new Set(graph.outputs.map(({ name }) => name));
  const nodes = graph.nodes.toReversed().filter((node) => {
    if (!node.outputs.some((output) => live.has(output))) return false;
    for (const input of node.inputs) live.add(input);
    return true;
  });
  return { ...graph, nodes: nodes.toReversed() };
}

function fuseEpilogues(graph: StaticGraph, features: FusionFeatures): FusedNode[] {
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
    const scaled = features.scale ? scaleOf(graph, node, absorb) : undefined;
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

/** The product right behind which the node multiplies by a constant: one number, or one for each output. */
function scaleOf(
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

/** Whether the node multiplies by a constant weight matrix in a form that the kernel with an epilogue runs. */
export function isConstantProduct(graph: StaticGraph, node: Node): boolean {
  const [a = '', b = ''] = node.inputs;
  const weight = graph.constants.get(b);
  if (weight === undefined) return false;
  if (node.op === 'Conv' || node.op === lowRankProduct) return true;
  const isMatrix = weight.dims.length === 2 && !weight.dims.includes(0);
  return isMatrix && !graph.constants.has(a) && (node.op === 'MatMul' || isPlainGemm(graph, node));
}

/** x * W or x * W^T, plus at most one number for each output. */
function isPlainGemm(graph: StaticGraph, node: Node): boolean {
  const bias = graph.values.get(node.inputs[2] ?? '')?.dims;
  const outputs = graph.values.get(node.outputs[0] ?? '')?.dims.at(-1);
  const plainBias =
    bias === undefined ||
    (floatAttribute(node, 'beta', 1) === 1 && elementCount(bias) === outputs && bias.at(-1) === outputs);
  return plainBias && floatAttribute(node, 'alpha', 1) === 1 && intAttribute(node, 'transA', 0) === 0;
}
