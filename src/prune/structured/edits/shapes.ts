import { intAttribute, intsAttribute } from '../../../graph/attributes.js';
import { int64List, readNumbers } from '../../../graph/data.js';
import type { Node } from '../../../graph/graph.js';
import { resolveAxis } from '../spans.js';
import { type Edit, type EditContext, helper, withInput } from './edit.js';

/** Reshape, Expand, ConstantOfShape, Resize: the input that says the output's dims. */
export function dimsFrom(input: number): Edit {
  return (node, context) => {
    const { selection, known } = context;
    const [output = ''] = node.outputs;
    const target = node.inputs[input] ?? '';
    const data = known.get(target);
    if (data === undefined || selection.axesOf(output) === undefined) return [node];
    const old = selection.oldDims(output);
    const own = selection.newDims(output);
    const wanted = readNumbers(data);
    const axes = intsAttribute(node, 'axes') ?? wanted.map((_, i) => old.length - wanted.length + i);
    const changes = wanted.map((dim, i): readonly [from: number, to: number] => {
      const axis = resolveAxis(axes[i] ?? i, old.length);
      // 0 and -1 follow from the other dims. An Expand says 1 for a dim that it leaves as it is.
      return dim <= 0 || dim === 1 || own[axis] === old[axis] ? [1, 1] : [old[axis] ?? 1, own[axis] ?? 1];
    });
    return corrected(node, input, changes, wanted, context);
  };
}

/** A Reshape's 0 takes the dim of the input, which may change otherwise than the output's. */
export const reshape: Edit = (node, context) => {
  const { selection, known, isStored, constant } = context;
  const [x = '', target = ''] = node.inputs;
  const [output = ''] = node.outputs;
  const data = known.get(target);
  const zeros = intAttribute(node, 'allowzero', 0) === 0 && data !== undefined ? readNumbers(data) : [];
  const [from, to] = [selection.newDims(x), selection.newDims(output)];
  if (isStored(target) && zeros.some((dim, axis) => dim === 0 && from[axis] !== to[axis])) {
    const keeps = (dim: number, axis: number) => dim === -1 || (dim === 0 && from[axis] === to[axis]);
    const dims = zeros.map((dim, axis) => (keeps(dim, axis) ? dim : (to[axis] ?? 1)));
    return [withInput(node, 1, constant(node, 'shape', int64List(dims)))];
  }
  return dimsFrom(1)(node, context);
};

/** A Shape keeps saying the dims that were, so that all computed from them holds; those who use it are corrected. */
export const shape: Edit = (node, context) => {
  const { selection, fresh } = context;
  const [x = ''] = node.inputs;
  const [output = ''] = node.outputs;
  const old = selection.oldDims(x);
  const own = selection.newDims(x);
  const [start, end] = [intAttribute(node, 'start', 0), intAttribute(node, 'end', old.length)];
  const part = (dims: readonly number[]) => dims.slice(start, end);
  if (part(old).join() === part(own).join()) return [node];
  const measured = fresh(node, 'dims');
  const factors = part(old).map((dim, i): readonly [from: number, to: number] => {
    const now = part(own)[i] ?? 1;
    return dim === now ? [1, 1] : [now, dim];
  });
  return [{ ...node, outputs: [measured] }, ...scale(node, measured, output, factors, context)];
};

/** A stored list of dims is written anew; a computed one is scaled, so that what varies from run to run still does. */
function corrected(
  node: Node,
  input: number,
  changes: readonly (readonly [from: number, to: number])[],
  wanted: readonly number[],
  context: EditContext,
): readonly Node[] {
  if (changes.every(([from, to]) => from === to)) return [node];
  const target = node.inputs[input] ?? '';
  if (context.isStored(target)) {
    const dims = wanted.map((dim, i) => (dim / (changes[i]?.[0] ?? 1)) * (changes[i]?.[1] ?? 1));
    return [withInput(node, input, context.constant(node, 'shape', int64List(dims)))];
  }
  const output = context.fresh(node, 'shape');
  return [...scale(node, target, output, changes, context), withInput(node, input, output)];
}

/** output = value * to / from, which has no remainder. */
function scale(
  node: Node,
  value: string,
  output: string,
  factors: readonly (readonly [from: number, to: number])[],
  context: EditContext,
): Node[] {
  const product = context.fresh(node, 'product');
  const to = context.constant(node, 'to', int64List(factors.map(([, after]) => after)));
  const from = context.constant(node, 'from', int64List(factors.map(([before]) => before)));
  return [
    helper(node, context, 'Mul', [value, to], product),
    helper(node, context, 'Div', [product, from], output),
  ];
}
