import { elementCount } from '../../tensor.js';
import { floatAttribute, intAttribute, intValue } from '../attributes.js';
import { readNumbers } from '../data.js';
import type { OperatorContext } from '../operators/definition.js';
import { typeOfCode } from '../type_codes.js';
import { type DecompositionFamily, Words } from './definition.js';

/** Inputs of the operator. */
const [attnMask, pastKey, pastValue, validKeys] = [3, 4, 5, 6];

/**
 * Attention of opset 23 and 24 (https://onnx.ai/onnx/operators/onnx__Attention.html), as the products that are fused
 * again later. In the order that the specification has since its correction of 2026: scale, softcap, mask, softmax.
 * A query that may see no key gives zeros.
 */
export const attentions: DecompositionFamily = {
  Attention: (context, decomposer) => {
    const w = new Words(decomposer);
    const { node } = context;
    const rank = context.dims(0).length;
    if ((rank !== 3 && rank !== 4) || context.dims(1).length !== rank || context.dims(2).length !== rank)
      throw context.shapeError('queries, keys and values need 3 or 4 axes each');
    if (context.has(pastKey) !== context.has(pastValue))
      throw context.shapeError('the past needs keys and values');
    checkPrecision(context);
    const q = split(w, context, 0, 'q_num_heads');
    const append = (past: number, value: string) =>
      context.has(past) ? w.op('Concat', [node.inputs[past] ?? '', value], { axis: intValue(2) }) : value;
    const keys = append(pastKey, split(w, context, 1, 'kv_num_heads'));
    const values = append(pastValue, split(w, context, 2, 'kv_num_heads'));
    const [batch = 0, heads = 0, queries = 0, size = 0] = w.dims(q);
    const [, kvHeads = 0, total = 0] = w.dims(keys);
    const fits =
      w.dims(keys).join() === [batch, kvHeads, total, size].join() &&
      w.dims(values).slice(0, 3).join() === [batch, kvHeads, total].join() &&
      kvHeads > 0 &&
      heads % kvHeads === 0;
    if (!fits) throw context.shapeError('heads and lengths of queries, keys and values do not fit together');
    const spread = (x: string) => repeatHeads(w, x, heads / kvHeads);

    const scale = floatAttribute(node, 'scale', size ** -0.5);
    const product = w.op('MatMul', [q, w.transpose(spread(keys), [0, 1, 3, 2])]);
    const raw = w.mul(product, w.scalar(scale, q));
    const softcap = floatAttribute(node, 'softcap', 0);
    const capped = softcap === 0 ? raw : cap(w, raw, softcap);
    const mask = maskOf(w, context, { batch, queries, total });
    const biased = mask === undefined ? capped : w.add(capped, mask.bias);
    const soft = w.op('Softmax', [biased], { axis: intValue(-1) });
    const mixed = w.op('MatMul', [soft, spread(values)]);
    const y = rank === 4 ? mixed : w.transpose(mixed, [0, 2, 1, 3]);
    const seen = mask?.seen;
    const seenBy = seen === undefined || rank === 4 ? seen : w.transpose(seen, [0, 2, 1, 3]);
    const shown = seenBy === undefined ? y : w.where(seenBy, y, w.scalar(0, y));
    const probabilities = () => (seen === undefined ? soft : w.where(seen, soft, w.scalar(0, soft)));
    return [
      rank === 4 ? shown : w.reshape(shown, [batch, queries, heads * (w.dims(values)[3] ?? 0)]),
      keys,
      values,
      ...(node.outputs.length > 3 ? [scoresOf(context, { raw, capped, biased, probabilities })] : []),
    ];
  },
};

/** Softmax is computed in float32. */
function checkPrecision(context: OperatorContext): void {
  const code = intAttribute(context.node, 'softmax_precision', undefined);
  const type = code === undefined ? undefined : typeOfCode.get(code);
  if (type === 'float64') throw context.unsupported('a softmax_precision of float64');
}

/** An input as [batch, heads, tokens, size]. */
function split(w: Words, context: OperatorContext, index: number, attribute: string): string {
  const input = context.node.inputs[index] ?? '';
  const dims = context.dims(index);
  if (dims.length === 4) return input;
  const [batch = 0, tokens = 0, width = 0] = dims;
  const heads = intAttribute(context.node, attribute, 0);
  if (heads < 1 || width % heads !== 0)
    throw context.shapeError(`${width} values of input ${index} are no ${heads} heads (${attribute})`);
  return toHeads(w, input, [batch, tokens, heads, width / heads]);
}

/** Numbers [batch, tokens, heads x size] as [batch, heads, tokens, size]; `dims` with the heads apart. */
export function toHeads(w: Words, x: string, dims: readonly number[]): string {
  return w.transpose(w.reshape(x, dims), [0, 2, 1, 3]);
}

/** What is added to scores [queries, keys] so that query i sees the keys up to i + `past`. */
export function causalTriangle(queries: number, keys: number, past: number): number[] {
  return Array.from({ length: queries * keys }, (_, i) =>
    (i % keys) - past <= Math.floor(i / keys) ? 0 : Number.NEGATIVE_INFINITY,
  );
}

/** Each head of [batch, heads, tokens, size] `count` times, one behind the other. */
function repeatHeads(w: Words, x: string, count: number): string {
  if (count === 1) return x;
  const [batch = 0, heads = 0, tokens = 0, size = 0] = w.dims(x);
  const apart = w.reshape(x, [batch, heads, 1, tokens, size]);
  return w.reshape(w.expand(apart, [batch, heads, count, tokens, size]), [
    batch,
    heads * count,
    tokens,
    size,
  ]);
}

function cap(w: Words, x: string, softcap: number): string {
  return w.mul(w.op('Tanh', [w.mul(x, w.scalar(1 / softcap, x))]), w.scalar(softcap, x));
}

interface Sizes {
  readonly batch: number;
  readonly queries: number;
  readonly total: number;
}

/** What is added to scores, and which queries see a key, where that is not all of them. */
interface Mask {
  readonly bias: string;
  readonly seen: string | undefined;
}

function maskOf(w: Words, context: OperatorContext, sizes: Sizes): Mask | undefined {
  const { queries, total } = sizes;
  const causal = intAttribute(context.node, 'is_causal', 0) !== 0;
  const given = givenMask(w, context, sizes);
  const valid = context.has(validKeys) ? validMask(w, context, sizes, causal) : undefined;
  const past = context.has(pastKey) ? (context.dims(pastKey)[2] ?? 0) : 0;
  const triangle =
    causal && (valid === undefined || context.has(pastKey))
      ? w.constant('float32', [queries, total], causalTriangle(queries, total, past))
      : undefined;
  const like = context.node.inputs[0] ?? '';
  const { type } = w.decomposer.valueOf(like);
  const parts = [given, valid, triangle && w.cast(triangle, type)].filter((part) => part !== undefined);
  if (parts.length === 0) return undefined;
  const bias = parts.reduce(w.add);
  // A triangle alone shows every query the first key, and a mask that is known may show each one, too.
  const allSee = valid === undefined && (given === undefined || (!causal && showsAll(context)));
  return { bias, seen: allSee ? undefined : seenBy(w, bias) };
}

/** attn_mask as numbers to add, continued to all keys by those that hide. */
function givenMask(w: Words, context: OperatorContext, { total }: Sizes): string | undefined {
  if (!context.has(attnMask)) return undefined;
  const [mask = '', like = ''] = [context.node.inputs[attnMask], context.node.inputs[0]];
  const hidden = w.scalar(Number.NEGATIVE_INFINITY, like);
  const isBool = context.type(attnMask) === 'bool';
  if (!isBool && context.type(attnMask) !== context.type(0))
    throw context.typeError('the mask needs to be bool or of the type of the queries');
  const added = isBool ? w.where(mask, w.scalar(0, like), hidden) : mask;
  const dims = w.dims(added);
  const missing = total - (dims.at(-1) ?? 0);
  if (missing <= 0 || dims.at(-1) === 1) return added;
  const pads = [...dims.map(() => 0), ...dims.slice(0, -1).map(() => 0), missing];
  return w.op('Pad', [added, w.list(pads), hidden]);
}

/** nonpad_kv_seqlen: keys from there on count for nothing, and in a causal mask they end with the last query. */
function validMask(w: Words, context: OperatorContext, sizes: Sizes, causal: boolean): string {
  const { batch, queries, total } = sizes;
  const like = context.node.inputs[0] ?? '';
  if (context.dims(validKeys).join() !== String(batch))
    throw context.shapeError(`nonpad_kv_seqlen needs dims [${batch}]`);
  const lengths = w.reshape(w.cast(context.node.inputs[validKeys] ?? '', 'int64'), [batch, 1, 1, 1]);
  const places = w.constant('int64', [1, 1, 1, total], [...Array(total).keys()]);
  let shown = w.op('Less', [places, lengths]);
  if (causal && !context.has(pastKey)) {
    const rows = w.constant(
      'int64',
      [1, 1, queries, 1],
      Array.from({ length: queries }, (_, i) => i - queries),
    );
    shown = w.op('And', [shown, w.op('LessOrEqual', [places, w.add(rows, lengths)])]);
  }
  return w.where(shown, w.scalar(0, like), w.scalar(Number.NEGATIVE_INFINITY, like));
}

/** Whether it is known that attn_mask shows every query a key. */
function showsAll(context: OperatorContext): boolean {
  const mask = context.constant(attnMask);
  if (mask === undefined) return false;
  const hidden = mask.type === 'bool' ? 0 : Number.NEGATIVE_INFINITY;
  const keys = mask.dims.at(-1) ?? 1;
  const rows = new Uint8Array(elementCount(mask.dims) / keys);
  for (const [i, value] of readNumbers(mask).entries()) if (value !== hidden) rows[Math.floor(i / keys)] = 1;
  return rows.every((shown) => shown === 1);
}

/** Whether each query sees a key, [.., queries, 1]. */
function seenBy(w: Words, bias: string): string | undefined {
  const dims = w.dims(bias);
  const most = w.reduce('ReduceMax', bias, [dims.length - 1]);
  const apart = w.reshape(most, [...new Array<number>(4 - dims.length).fill(1), ...dims.slice(0, -1), 1]);
  return w.op('Greater', [apart, w.scalar(Number.NEGATIVE_INFINITY, bias)]);
}

/** What `qk_matmul_output_mode` says of the scores. */
function scoresOf(
  context: OperatorContext,
  scores: { raw: string; capped: string; biased: string; probabilities: () => string },
): string {
  const mode = intAttribute(context.node, 'qk_matmul_output_mode', 0);
  switch (mode) {
    case 0:
      return scores.raw;
    case 1:
      return scores.capped;
    case 2:
      return scores.biased;
    case 3:
      return scores.probabilities();
    default:
      throw context.unsupported(`a qk_matmul_output_mode of ${mode}`);
  }
}
