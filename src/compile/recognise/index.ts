import { choiceAttribute, floatValue, intsAttribute, intsValue } from '../../graph/attributes.js';
import { readNumbers } from '../../graph/data.js';
import type { Node, StaticGraph } from '../../graph/graph.js';
import { elementCount } from '../../tensor.js';
import { activationOf } from '../activation.js';
import { countUses, findProducers } from '../uses.js';
import { gatherIntoConv } from './gathered_channels.js';
import { gelu } from './gelu.js';
import { isFloat, type Match, near, otherOperand, replaceWith, scalar } from './match.js';
import { normalisation, normalisationBias, normalisationScale } from './normalisation.js';

/** What exporters decompose becomes one node each, in this order: later patterns are made of earlier ones. */
const rewrites: readonly ((match: Match) => Node | undefined)[] = [
  ...[mergeTransposes, padIntoWindow, gatherIntoConv, normalisation, normalisationScale, normalisationBias],
  ...[hardSwish, silu, scalarAffine, mergeAffine, gelu],
];

/**
 * Pad of zeros, and Gather of channels, go into the Conv behind them; decomposed layer and root-mean-square normalisation, GELU, SiLU and
 * HardSwish become one node each; so do scalar Mul and Add, and two transposes.
 */
export function recognisePatterns(graph: StaticGraph): StaticGraph {
  let current = graph;
  for (const rewrite of rewrites) {
    const producers = findProducers(current);
    const uses = countUses(current);
    const nodes = current.nodes.map((node) => rewrite({ graph: current, producers, uses, node }) ?? node);
    current = withoutDead({ ...current, nodes });
  }
  return current;
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

/** A transpose of a transpose is one, or none. */
function mergeTransposes({ graph, producers, node }: Match): Node | undefined {
  const first = producers.get(node.inputs[0] ?? '');
  if (node.op !== 'Transpose' || first?.op !== 'Transpose') return undefined;
  const rank = graph.values.get(node.outputs[0] ?? '')?.dims.length ?? 0;
  const orderOf = (one: Node) =>
    intsAttribute(one, 'perm') ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  const inner = orderOf(first);
  const perm = orderOf(node).map((axis) => inner[axis] ?? 0);
  const input = first.inputs[0] ?? '';
  if (perm.every((axis, position) => axis === position)) return replaceWith(node, 'Identity', input);
  return replaceWith(node, 'Transpose', input, [['perm', intsValue(perm)]]);
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
    // One number gains nothing by it, and a scale for quantising has to be the quotient to its last bit.
    const many = dims !== undefined && elementCount(dims) > 1;
    if (node.op === 'Div' && many && isOrdinary(right) && right !== 0 && isOrdinary(1 / right))
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

/** The graph without nodes that no output needs. */
export function withoutDead(graph: StaticGraph): StaticGraph {
  const live = new Set(graph.outputs.map(({ name }) => name));
  const nodes = graph.nodes.toReversed().filter((node) => {
    if (!node.outputs.some((output) => live.has(output))) return false;
    for (const input of node.inputs) live.add(input);
    return true;
  });
  return { ...graph, nodes: nodes.toReversed() };
}
