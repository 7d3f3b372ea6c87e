import { elementCount } from '../../tensor.js';
import type { OperatorContext } from '../operators/definition.js';
import { inWords } from './activations.js';
import type { DecompositionFamily, Words } from './definition.js';

/** A value with a label for each axis. */
interface Labelled {
  readonly value: string;
  readonly labels: readonly string[];
}

/** The labels of each operand and of the result; axes under an ellipsis are numbered from the last. */
function parseEquation(context: OperatorContext): { operands: string[][]; result: string[] } {
  const attribute = context.node.attributes.get('equation');
  const equation = attribute?.kind === 'string' ? attribute.value.replaceAll(' ', '') : '';
  const [left = '', right, ...more] = equation.split('->');
  const terms = left.split(',');
  if (terms.length !== context.inputCount || more.length > 0 || !/^[A-Za-z.,]*$/.test(left))
    throw context.shapeError(`the equation "${equation}" does not fit`);
  const ellipsis = (count: number) => Array.from({ length: count }, (_, i) => `${count - 1 - i}`);
  const expand = (term: string, rest: number) => {
    const [before = '', after, ...others] = term.split('...');
    if (
      others.length > 0 ||
      rest < 0 ||
      `${before}${after ?? ''}`.includes('.') ||
      (after === undefined && rest > 0)
    )
      throw context.shapeError(`the term "${term}" does not fit`);
    return [...before, ...(after === undefined ? [] : ellipsis(rest)), ...(after ?? '')];
  };
  const letters = (term: string) => term.replaceAll('.', '').length;
  const operands = terms.map((term, i) => expand(term, context.dims(i).length - letters(term)));
  const hidden = Math.max(0, ...operands.map((labels) => labels.filter((label) => /\d/.test(label)).length));
  if (right !== undefined) return { operands, result: expand(right, right.includes('...') ? hidden : 0) };
  const all = operands.flat();
  const once = [...new Set(all)].filter(
    (label) => !/\d/.test(label) && all.filter((other) => other === label).length === 1,
  );
  return { operands, result: [...ellipsis(hidden), ...once.sort()] };
}

const permute = (w: Words, { value, labels }: Labelled, order: readonly string[]): string =>
  w.transpose(
    value,
    order.map((label) => labels.indexOf(label)),
  );

/** Labels that repeat within one operand are its diagonal: a copy with the sum of their strides. */
function diagonal(w: Words, { value, labels }: Labelled): Labelled {
  const unique = [...new Set(labels)];
  if (unique.length === labels.length) return { value, labels };
  const dims = w.dims(value);
  const strides = labels.map((_, axis) => elementCount(dims.slice(axis + 1)));
  const sizes = unique.map((label) => dims[labels.indexOf(label)] ?? 1);
  const steps = unique.map((label) =>
    strides.reduce((sum, stride, axis) => (labels[axis] === label ? sum + stride : sum), 0),
  );
  let places = [0];
  sizes.forEach((size, i) => {
    places = places.flatMap((place) => Array.from({ length: size }, (_, at) => place + at * (steps[i] ?? 0)));
  });
  const flat = w.reshape(value, [elementCount(dims)]);
  return { value: w.gather(flat, w.constant('int64', sizes, places), 0), labels: unique };
}

/** Sums over the labels that nothing else needs. */
function sumOver(w: Words, { value, labels }: Labelled, needed: ReadonlySet<string>): Labelled {
  const axes = labels.flatMap((label, axis) => (needed.has(label) ? [] : [axis]));
  if (axes.length === 0) return { value, labels };
  const kept = labels.filter((label) => needed.has(label));
  return { value: w.reduce('ReduceSum', value, axes, false), labels: kept };
}

/** Axes of one element that are longer in the other operand broadcast: they go. */
function withoutOnes(w: Words, own: Labelled, other: Labelled): Labelled {
  const dims = w.dims(own.value);
  const drops = (label: string, axis: number) =>
    dims[axis] === 1 &&
    other.labels.includes(label) &&
    w.dims(other.value)[other.labels.indexOf(label)] !== 1;
  const kept = own.labels.flatMap((label, axis) => (drops(label, axis) ? [] : [axis]));
  if (kept.length === dims.length) return own;
  return {
    value: w.reshape(
      own.value,
      kept.map((axis) => dims[axis] ?? 1),
    ),
    labels: kept.map((axis) => own.labels[axis] ?? ''),
  };
}

/** One batched product: labels of both that are still needed are the batch, others of both are summed over. */
function multiply(w: Words, left: Labelled, right: Labelled, needed: ReadonlySet<string>): Labelled {
  const a = sumOver(w, withoutOnes(w, left, right), new Set([...needed, ...right.labels]));
  const b = sumOver(w, withoutOnes(w, right, left), new Set([...needed, ...left.labels]));
  const shared = a.labels.filter((label) => b.labels.includes(label));
  const batch = shared.filter((label) => needed.has(label));
  const summed = shared.filter((label) => !needed.has(label));
  const rows = a.labels.filter((label) => !b.labels.includes(label));
  const columns = b.labels.filter((label) => !a.labels.includes(label));
  const sizes = (from: Labelled, labels: readonly string[]) =>
    labels.map((label) => w.dims(from.value)[from.labels.indexOf(label)] ?? 1);
  const [outer, m, k, n] = [sizes(a, batch), sizes(a, rows), sizes(a, summed), sizes(b, columns)];
  const matrix = (value: string, dims: readonly number[][]) => w.reshape(value, dims.map(elementCount));
  const product = w.op('MatMul', [
    matrix(permute(w, a, [...batch, ...rows, ...summed]), [outer, m, k]),
    matrix(permute(w, b, [...batch, ...summed, ...columns]), [outer, k, n]),
  ]);
  return { value: w.reshape(product, [...outer, ...m, ...n]), labels: [...batch, ...rows, ...columns] };
}

export const einsums: DecompositionFamily = {
  /** From left to right, one product at a time. */
  Einsum: inWords((w, _, context) => {
    const { operands, result } = parseEquation(context);
    const sizes = new Map<string, number>();
    operands.forEach((labels, i) => {
      labels.forEach((label, axis) => {
        const dim = context.dims(i)[axis] ?? 1;
        if (context.dims(i)[labels.indexOf(label)] !== dim)
          throw context.shapeError(`axes "${label}" differ`);
        const known = sizes.get(label) ?? 1;
        if (dim !== known && dim !== 1 && known !== 1) throw context.shapeError(`axes "${label}" differ`);
        sizes.set(label, known === 1 ? dim : known);
      });
    });
    if (new Set(result).size < result.length || result.some((label) => !sizes.has(label)))
      throw context.shapeError(`the result "${result.join('')}" does not fit`);
    const [first, ...others] = operands.map((labels, i) =>
      diagonal(w, { value: context.node.inputs[i] ?? '', labels }),
    );
    if (first === undefined) throw context.shapeError('no operands');
    const neededBehind = (i: number) =>
      new Set([...result, ...others.slice(i + 1).flatMap(({ labels }) => labels)]);
    const product = others.reduce((left, right, i) => multiply(w, left, right, neededBehind(i)), first);
    return permute(w, sumOver(w, product, new Set(result)), result);
  }),
};
