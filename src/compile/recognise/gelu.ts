import { stringValue } from '../../graph/attributes.js';
import type { Node } from '../../graph/graph.js';
import { activationOf } from '../activation.js';
import { isFloat, type Match, replaceWith, scalar } from './match.js';

/** Nodes that a polynomial or a product is followed through. */
const deepest = 8;

/** Products and sums that a gate may be behind. */
const mostFactors = 4;

/** Coefficients of a polynomial, the constant first. */
type Polynomial = readonly number[];

/** The arguments of the gates of GELU (D. Hendrycks, K. Gimpel, arXiv 1606.08415), exact and by tanh. */
const gates: readonly { readonly op: string; readonly argument: Polynomial; readonly approximate: string }[] =
  [
    { op: 'Erf', argument: [0, Math.SQRT1_2], approximate: 'none' },
    {
      op: 'Tanh',
      argument: [0, Math.sqrt(2 / Math.PI), 0, 0.044715 * Math.sqrt(2 / Math.PI)],
      approximate: 'tanh',
    },
  ];

/** 0.5 x (1 + gate), whatever the order of its factors and however the gate's argument is written. */
export function gelu(match: Match): Node | undefined {
  const { graph, node } = match;
  if ((node.op !== 'Mul' && node.op !== 'Affine') || !isFloat(graph, node.outputs[0])) return undefined;
  const product: Product = { scale: 1, factors: [], whole: new Set() };
  for (const input of node.inputs) collectArguments(match, input, product.whole, false, 0);
  if (product.whole.size === 0) return undefined;
  collectFactors(match, node, product, 0);
  const [a = '', b = ''] = product.factors;
  if (product.factors.length !== 2) return undefined;
  for (const [x, factor] of [
    [a, b],
    [b, a],
  ] as const) {
    const approximate = gateOf(match, x, factor, product.scale);
    if (approximate === undefined || graph.constants.has(x)) continue;
    if (graph.values.get(x)?.dims.join() !== graph.values.get(node.outputs[0] ?? '')?.dims.join()) continue;
    return replaceWith(node, 'Gelu', x, [['approximate', stringValue(approximate)]]);
  }
  return undefined;
}

interface Product {
  scale: number;
  readonly factors: string[];
  /** Values that are not taken apart, for one of them is x. */
  readonly whole: Set<string>;
}

const arithmetic = new Set(['Affine', 'Add', 'Mul', 'Pow']);

/** Every value that goes into the argument of a gate by arithmetic. */
function collectArguments(
  match: Match,
  value: string,
  into: Set<string>,
  isInside: boolean,
  depth: number,
): void {
  const node = match.producers.get(value);
  if (isInside) into.add(value);
  if (node === undefined || depth > (isInside ? deepest : mostFactors) || into.size > 64) return;
  const isGate = !isInside && gates.some(({ op }) => op === node.op);
  if (!isGate && !arithmetic.has(node.op)) return;
  for (const input of node.inputs) collectArguments(match, input, into, isInside || isGate, depth + 1);
}

/** The factors of a product, and the number before them. */
function collectFactors(match: Match, node: Node, product: Product, depth: number): void {
  const inputs = node.op === 'Mul' ? node.inputs : node.inputs.slice(0, 1);
  product.scale *= activationOf(match.graph, node)?.alpha ?? 1;
  for (const input of inputs) {
    const producer = match.producers.get(input);
    const isProduct =
      producer?.op === 'Mul' ||
      (producer?.op === 'Affine' && activationOf(match.graph, producer)?.beta === 0);
    const isWhole = product.whole.has(input) || product.factors.length > 2 || depth > deepest;
    if (producer !== undefined && isProduct && !isWhole) collectFactors(match, producer, product, depth + 1);
    else product.factors.push(input);
  }
}

/** Which form of GELU it is when `factor` is c (1 + gate of x) with c * scale = 0.5. */
function gateOf(match: Match, x: string, factor: string, scale: number): string | undefined {
  const shifted = match.producers.get(factor);
  const affine = shifted?.op === 'Affine' ? activationOf(match.graph, shifted) : undefined;
  if (shifted === undefined || affine === undefined) return undefined;
  if (!isClose(affine.alpha, affine.beta) || !isClose(affine.alpha * scale, 0.5)) return undefined;
  const gate = match.producers.get(shifted.inputs[0] ?? '');
  const form = gates.find(({ op }) => op === gate?.op);
  const argument = form && polynomialOf(match, gate?.inputs[0] ?? '', x, 0);
  return argument?.every((value, i) => isClose(value, form?.argument[i] ?? 0))
    ? form?.approximate
    : undefined;
}

/** Exporters write the numbers in float32, and sometimes products of them. */
function isClose(a: number, b: number): boolean {
  return Math.abs(a - b) <= 1e-5 * Math.max(Math.abs(a), Math.abs(b));
}

/** A value as a polynomial in x of at most the third degree: four coefficients. */
function polynomialOf(match: Match, value: string, x: string, depth: number): Polynomial | undefined {
  const number = scalar(match.graph, value);
  if (value === x) return [0, 1, 0, 0];
  if (number !== undefined) return [number, 0, 0, 0];
  const node = match.producers.get(value);
  if (node === undefined || depth > deepest) return undefined;
  const operand = (index: number) => polynomialOf(match, node.inputs[index] ?? '', x, depth + 1);
  const a = arithmetic.has(node.op) ? operand(0) : undefined;
  if (a === undefined) return undefined;
  if (node.op === 'Affine') {
    const { alpha, beta } = activationOf(match.graph, node) ?? { alpha: 1, beta: 0 };
    return a.map((value, i) => alpha * value + (i === 0 ? beta : 0));
  }
  if (node.op === 'Pow') {
    const exponent = scalar(match.graph, node.inputs[1]);
    if (exponent !== 2 && exponent !== 3) return undefined;
    const square = multiplied(a, a);
    return exponent === 2 || square === undefined ? square : multiplied(square, a);
  }
  const b = operand(1);
  if (b === undefined) return undefined;
  return node.op === 'Add' ? a.map((value, i) => value + (b[i] ?? 0)) : multiplied(a, b);
}

function multiplied(a: Polynomial, b: Polynomial): Polynomial | undefined {
  const product = new Array<number>(7).fill(0);
  for (const [i, x] of a.entries())
    for (const [j, y] of b.entries()) product[i + j] = (product[i + j] ?? 0) + x * y;
  return product.slice(4).every((value) => value === 0) ? product.slice(0, 4) : undefined;
}
