import { floatValue, intAttribute, intValue } from '../../graph/attributes.js';
import { readNumbers } from '../../graph/data.js';
import type { Node } from '../../graph/graph.js';
import { isFloat, type Match, near, replaceWith, scalar } from './match.js';

/**
 * (x - mean) / sqrt(variance + epsilon) over the last axes, and x / sqrt(mean of squares + epsilon): as exporters write
 * LayerNormalization (J. Ba, J. Kiros, G. Hinton, arXiv 1607.06450) and its form without a mean (B. Zhang, R. Sennrich,
 * arXiv 1910.07467), which is the same node with the attribute root_mean_square.
 */
export function normalisation(match: Match): Node | undefined {
  const { graph, producers, node } = match;
  if (!isFloat(graph, node.outputs[0])) return undefined;
  for (const [numerator, root] of quotients(match)) {
    const sum = rootOf(match, root);
    const mean = sum && meanOf(match, sum.value);
    const squares = mean && producers.get(mean.of);
    if (sum === undefined || mean === undefined || squares === undefined) continue;
    if (!isSquare(match, squares, numerator)) continue;
    const centred = producers.get(numerator);
    const x = centred?.op === 'Sub' ? (centred.inputs[0] ?? '') : '';
    const own = centred?.op === 'Sub' ? meanOf(match, centred.inputs[1] ?? '') : undefined;
    const isCentred = own !== undefined && own.of === x && own.axis === mean.axis;
    return replaceWith(node, 'LayerNormalization', isCentred ? x : numerator, [
      ['axis', intValue(mean.axis)],
      ['epsilon', floatValue(sum.epsilon)],
      ['root_mean_square', intValue(isCentred ? 0 : 1)],
    ]);
  }
  return undefined;
}

/** A constant factor for each normalised number becomes the scale of the node. */
export function normalisationScale(match: Match): Node | undefined {
  if (match.node.op !== 'Mul') return undefined;
  const found = withConstant(match);
  if (found === undefined || found.norm.inputs.length > 1) return undefined;
  return { ...found.norm, outputs: match.node.outputs, inputs: [found.norm.inputs[0] ?? '', found.constant] };
}

/** A constant summand behind the scale becomes the bias. */
export function normalisationBias(match: Match): Node | undefined {
  if (match.node.op !== 'Add') return undefined;
  const found = withConstant(match);
  const [x = '', scale = '', bias = ''] = found?.norm.inputs ?? [];
  if (found === undefined || bias !== '' || intAttribute(found.norm, 'root_mean_square', 0) !== 0)
    return undefined;
  return { ...found.norm, outputs: match.node.outputs, inputs: [x, scale, found.constant] };
}

/** The normalisation that alone the node reads, and its other operand when that has the normalised dims. */
function withConstant({ graph, producers, uses, node }: Match): { norm: Node; constant: string } | undefined {
  for (const [value, constant] of [node.inputs, node.inputs.toReversed()] as [string, string][]) {
    const norm = producers.get(value);
    const data = graph.constants.get(constant);
    if (norm?.op !== 'LayerNormalization' || norm.outputs.length > 1 || uses.get(value) !== 1) continue;
    const dims = graph.values.get(value)?.dims ?? [];
    const axis = intAttribute(norm, 'axis', -1);
    const normalised = dims.slice(axis < 0 ? axis + dims.length : axis);
    const given = data?.dims.slice(Math.max(0, (data?.dims.length ?? 0) - normalised.length)) ?? [];
    const extra = data?.dims.slice(0, -normalised.length) ?? [];
    const fits = given.join() === normalised.join() && extra.every((dim) => dim === 1);
    if (data?.type === 'float32' && fits && (data?.dims.length ?? 0) <= dims.length)
      return { norm, constant };
  }
  return undefined;
}

/** What a node divides, and the root that it divides by: a / b, a * (1 / b), a * b^-0.5. */
function quotients({ graph, producers, node }: Match): [numerator: string, root: Root][] {
  const [a = '', b = ''] = node.inputs;
  if (node.op === 'Div') return [[a, { value: b, isPower: false }]];
  if (node.op !== 'Mul') return [];
  return [[a, b] as const, [b, a] as const].flatMap(([numerator, factor]): [string, Root][] => {
    const inverse = producers.get(factor);
    const [x = '', y = ''] = inverse?.inputs ?? [];
    if (inverse?.op === 'Reciprocal') return [[numerator, { value: x, isPower: false }]];
    if (inverse?.op === 'Div' && scalar(graph, x) === 1) return [[numerator, { value: y, isPower: false }]];
    if (inverse?.op === 'Pow' && near(scalar(graph, y), -0.5))
      return [[numerator, { value: x, isPower: true }]];
    return [];
  });
}

interface Root {
  readonly value: string;
  /** Whether the value is what the root is of. */
  readonly isPower: boolean;
}

/** sqrt(value + epsilon). */
function rootOf(match: Match, { value, isPower }: Root): { value: string; epsilon: number } | undefined {
  const { graph, producers } = match;
  const root = producers.get(value);
  const isRoot = root?.op === 'Sqrt' || (root?.op === 'Pow' && scalar(graph, root.inputs[1]) === 0.5);
  if (!isPower && !isRoot) return undefined;
  const sum = isPower ? root : producers.get(root?.inputs[0] ?? '');
  if (sum?.op !== 'Add') return undefined;
  const [a = '', b = ''] = sum.inputs;
  const [left, right] = [scalar(graph, a), scalar(graph, b)];
  if (right !== undefined) return { value: a, epsilon: right };
  return left === undefined ? undefined : { value: b, epsilon: left };
}

/** The mean over the last axes, which are kept as axes of one element. */
function meanOf({ graph, producers }: Match, value: string): { of: string; axis: number } | undefined {
  const node = producers.get(value);
  const [of = '', axesName = ''] = node?.inputs ?? [];
  const axes = graph.constants.get(axesName);
  const rank = graph.values.get(of)?.dims.length ?? 0;
  if (node?.op !== 'ReduceMean' || axes === undefined || intAttribute(node, 'keepdims', 1) === 0)
    return undefined;
  const sorted = readNumbers(axes)
    .map((axis) => (axis < 0 ? axis + rank : axis))
    .sort((a, b) => a - b);
  const first = rank - sorted.length;
  const isLast = sorted.length > 0 && sorted.every((axis, i) => axis === first + i);
  return isLast ? { of, axis: first } : undefined;
}

/** Whether the node squares a value, or a difference of the same two values. */
function isSquare({ graph, producers }: Match, node: Node, value: string): boolean {
  const [a = '', b = ''] = node.inputs;
  const isSquared = node.op === 'Pow' ? scalar(graph, b) === 2 : node.op === 'Mul' && a === b;
  if (!isSquared) return false;
  if (a === value) return true;
  const [one, other] = [producers.get(a), producers.get(value)];
  return one?.op === 'Sub' && other?.op === 'Sub' && one.inputs.join('\n') === other.inputs.join('\n');
}
