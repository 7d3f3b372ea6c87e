import { floatAttribute, intAttribute, intsAttribute, intValue } from '../../attributes.js';
import type { OperatorContext } from '../../operators/definition.js';
import { causalTriangle, toHeads } from '../attention.js';
import { type DecompositionFamily, Words } from '../definition.js';

/** Queries, keys and values as [batch, heads, tokens, size], and what is added to their scores. */
interface Parts {
  readonly q: string;
  readonly k: string;
  readonly v: string;
  readonly biases: readonly string[];
}

/** softmax(scale q k^T + biases) v as [batch, tokens, heads x size]. */
function attend(w: Words, { q, k, v, biases }: Parts, { node }: OperatorContext): string {
  const [batch = 0, heads = 0, tokens = 0, size = 0] = w.dims(q);
  const scale = floatAttribute(node, 'scale', 0) || size ** -0.5;
  const scores = w.mul(w.op('MatMul', [q, w.transpose(k, [0, 1, 3, 2])]), w.scalar(scale, q));
  const soft = w.op('Softmax', [biases.reduce(w.add, scores)], { axis: intValue(-1) });
  const mixed = w.transpose(w.op('MatMul', [soft, v]), [0, 2, 1, 3]);
  return w.reshape(mixed, [batch, tokens, heads * (w.dims(v)[3] ?? 0)]);
}

/** [batch, tokens, heads x size] as [batch, heads, tokens, size]. */
function split(w: Words, x: string, context: OperatorContext, heads: number): string {
  const [batch = 0, tokens = 0, width = 0] = w.dims(x);
  if (w.dims(x).length !== 3) throw context.unsupported('keys and values of other than 3 axes');
  if (heads < 1 || width % heads !== 0) throw context.shapeError(`${width} values are no ${heads} heads`);
  return toHeads(w, x, [batch, tokens, heads, width / heads]);
}

/** Which keys count, [batch, keys] of 0 and 1, or how many of each sequence do, [batch]: as numbers to add. */
function keyMask(w: Words, mask: string, keys: number, context: OperatorContext): string {
  const dims = w.dims(mask);
  const [batch = 0] = dims;
  const like = context.node.inputs[0] ?? '';
  const hidden = w.scalar(floatAttribute(context.node, 'mask_filter_value', -10000), like);
  const count = w.cast(mask, 'int32');
  if (dims.length === 1 && batch !== context.dims(0)[0]) throw context.unsupported(`a mask of [${batch}]`);
  const shown =
    dims.length === 1
      ? w.op('Less', [
          w.constant('int32', [1, 1, 1, keys], [...Array(keys).keys()]),
          w.reshape(count, [batch, 1, 1, 1]),
        ])
      : w.reshape(
          w.cast(count, 'bool'),
          dims.length === 2 ? [batch, 1, 1, keys] : [batch, 1, ...dims.slice(1)],
        );
  if (dims.length > 3) throw context.unsupported('a mask of 4 axes');
  return w.where(shown, w.scalar(0, like), hidden);
}

/** Hides the keys behind each query, where the node says so. */
function causalMask(w: Words, context: OperatorContext, queries: number, keys: number): string[] {
  if (intAttribute(context.node, 'unidirectional', 0) === 0) return [];
  const values = causalTriangle(queries, keys, keys - queries);
  return [w.constant(context.type(0), [1, 1, queries, keys], values)];
}

function biasesOf(
  w: Words,
  q: string,
  k: string,
  mask: number,
  bias: number,
  context: OperatorContext,
): string[] {
  const [queries, keys] = [w.dims(q)[2] ?? 0, w.dims(k)[2] ?? 0];
  const { inputs } = context.node;
  return [
    ...(context.has(mask) ? [keyMask(w, inputs[mask] ?? '', keys, context)] : []),
    ...(context.has(bias) ? [inputs[bias] ?? ''] : []),
    ...causalMask(w, context, queries, keys),
  ];
}

const joined = (w: Words, past: string, x: string) => w.op('Concat', [past, x], { axis: intValue(2) });

/** Attention as onnxruntime's optimiser for transformers writes it. */
export const contribAttention: DecompositionFamily = {
  /** Inputs: x, weights and biases of queries, keys and values side by side, a mask, the past of both, a bias. */
  Attention: (context, decomposer) => {
    const w = new Words(decomposer);
    const { node } = context;
    const [x = '', weights = '', bias = '', , past = ''] = node.inputs;
    if (context.has(6)) throw context.unsupported('past_sequence_length');
    if (intAttribute(node, 'do_rotary', 0) !== 0) throw context.unsupported('do_rotary');
    const heads = intAttribute(node, 'num_heads', 0);
    const width = context.dims(1)[1] ?? 0;
    const sizes = intsAttribute(node, 'qkv_hidden_sizes') ?? [width / 3, width / 3, width / 3];
    const product = w.op('MatMul', [x, weights]);
    const all = bias === '' ? product : w.add(product, bias);
    let start = 0;
    const [q = '', k = '', v = ''] = sizes.map((size) => {
      start += size;
      return split(w, w.slice(all, 2, start - size, start), context, heads);
    });
    const pastOf = (i: number) => w.reshape(w.slice(past, 0, i, i + 1), context.dims(4).slice(1));
    const [keys, values] = past === '' ? [k, v] : [joined(w, pastOf(0), k), joined(w, pastOf(1), v)];
    const y = attend(w, { q, k: keys, v: values, biases: biasesOf(w, q, keys, 3, 5, context) }, context);
    if ((node.outputs[1] ?? '') === '') return [y];
    const apart = [keys, values].map((part) => w.reshape(part, [1, ...w.dims(part)]));
    return [y, w.op('Concat', apart, { axis: intValue(0) })];
  },
  /** Inputs: queries, keys, values, their biases side by side, a mask of keys, a bias of scores, the past of both. */
  MultiHeadAttention: (context, decomposer) => {
    const w = new Words(decomposer);
    const { node } = context;
    if (!context.has(1) || !context.has(2))
      throw context.unsupported('keys and values packed with the queries');
    if (context.inputCount > 8) throw context.unsupported('a cache of its own');
    if (node.outputs.length > 3) throw context.unsupported('the scores as an output');
    const heads = intAttribute(node, 'num_heads', 0);
    let start = 0;
    const [q = '', k = '', v = ''] = [0, 1, 2].map((i) => {
      const x = node.inputs[i] ?? '';
      const width = w.dims(x).at(-1) ?? 0;
      start += width;
      if (!context.has(3)) return split(w, x, context, heads);
      return split(w, w.add(x, w.slice(node.inputs[3] ?? '', 0, start - width, start)), context, heads);
    });
    const keys = context.has(6) ? joined(w, node.inputs[6] ?? '', k) : k;
    const values = context.has(7) ? joined(w, node.inputs[7] ?? '', v) : v;
    const y = attend(w, { q, k: keys, v: values, biases: biasesOf(w, q, keys, 4, 5, context) }, context);
    return [y, keys, values];
  },
};
