import { floatValue, intAttribute, intsAttribute, intsValue, intValue } from '../graph/attributes.js';
import { readNumbers } from '../graph/data.js';
import type { Attribute, Node, StaticGraph } from '../graph/graph.js';
import { broadcastDims, broadcastStrides, rowMajorStrides } from '../graph/operators/strided.js';
import { activationOf } from './activation.js';
import { countUses, findProducers } from './uses.js';
import { type View, viewOf } from './view.js';

/**
 * The node that attention becomes: inputs q, k, v and perhaps a mask, each read where it lies in memory, with the
 * numbers of native/runtime/ops/attention.cc as attributes.
 */
export const fusedAttention = 'FusedAttention';

/**
 * softmax(scale * q k^T + mask) v as one node, which never stores a matrix of tokens x tokens: multi-head, grouped-query
 * and of any mask that is added. Transposes, splits and repeats of heads before it and the transpose behind it go: the
 * step reads and writes with strides.
 */
export function fuseAttention(graph: StaticGraph): StaticGraph {
  const context = { graph, producers: findProducers(graph), uses: countUses(graph) };
  const replaced = new Map<string, Node>(); // by output
  for (const node of graph.nodes) {
    const fused = node.op === 'MatMul' ? attentionAt(context, node) : undefined;
    if (fused !== undefined) replaced.set(fused.outputs[0] ?? '', fused);
  }
  if (replaced.size === 0) return graph;
  const nodes = graph.nodes.map((node) => replaced.get(node.outputs[0] ?? '') ?? node);
  return { ...graph, nodes };
}

interface Context {
  readonly graph: StaticGraph;
  readonly producers: ReadonlyMap<string, Node>;
  readonly uses: ReadonlyMap<string, number>;
}

function attentionAt(context: Context, node: Node): Node | undefined {
  const { graph, producers } = context;
  const [weights = '', v = ''] = node.inputs;
  const softmax = only(context, weights, 'Softmax');
  const dims = (name: string) => graph.values.get(name)?.dims ?? [];
  const rank = dims(weights).length;
  const isFloat = graph.values.get(weights)?.type === 'float32';
  if (softmax === undefined || !isFloat || rank < 3 || rank > 4 || dims(v).length !== rank) return undefined;
  if (![-1, rank - 1].includes(intAttribute(softmax, 'axis', -1))) return undefined;
  const found = scoresAt(context, softmax.inputs[0] ?? '');
  if (found === undefined) return undefined;
  const q = scaled(context, found.product.inputs[0] ?? '');
  const kT = scaled(context, found.product.inputs[1] ?? '');
  const views = [q.value, kT.value, v].map((name) => viewOf(graph, producers, name));
  const [heads, keys, values] = [headsOf(views[0]), headsOf(views[1], true), headsOf(views[2])];
  if (heads === undefined || keys === undefined || values === undefined) return undefined;
  const fits =
    heads.repeats === 1 &&
    heads.batch === keys.batch &&
    keys.batch === values.batch &&
    [1, heads.heads].includes(keys.heads * keys.repeats) &&
    values.heads === keys.heads &&
    values.repeats === keys.repeats &&
    keys.size === heads.size &&
    values.tokens === keys.tokens;
  if (!fits) return undefined;
  const behind = transposeBehind(context, node);
  const output = behind?.outputs[0] ?? node.outputs[0] ?? '';
  const mask =
    found.mask === undefined ? undefined : maskStrides(dims(found.mask), dims(softmax.inputs[0] ?? ''));
  if (found.mask !== undefined && mask === undefined) return undefined;
  const past =
    found.mask === undefined ? undefined : causalPast(graph, found.mask, heads.tokens, keys.tokens);
  const added = past === undefined ? found.mask : undefined;
  const inputs = views.map((view) => view.value);
  const starts = views.map((view) => view.start);
  const attributes: Record<string, Attribute> = {
    batch: intValue(heads.batch),
    heads: intValue(heads.heads),
    kv_heads: intValue(keys.heads),
    queries: intValue(heads.tokens),
    keys: intValue(keys.tokens),
    size: intValue(heads.size),
    v_size: intValue(values.size),
    q_strides: intsValue(heads.strides),
    k_strides: intsValue(keys.strides),
    v_strides: intsValue(values.strides),
    y_strides: intsValue(outputStrides(dims(node.outputs[0] ?? ''), behind !== undefined)),
    mask_strides: intsValue(added === undefined ? [] : (mask ?? [])),
    starts: intsValue(added === undefined ? starts : [...starts, 0]),
    causal: intValue(past === undefined ? 0 : 1),
    past: intValue(past ?? 0),
    scale: floatValue(found.scale * q.scale * kT.scale),
  };
  return {
    ...node,
    op: fusedAttention,
    inputs: added === undefined ? inputs : [...inputs, added],
    outputs: [output],
    attributes: new Map(Object.entries(attributes)),
  };
}

/**
 * What exporters add to the scores of keys that a query may not see is at most this: beside a score of any other size
 * their exponential is 0.
 */
const hides = -1e9;

/** For a mask that lets query i see keys 0 to i + past and no other: past. The step then skips what none sees. */
function causalPast(graph: StaticGraph, mask: string, queries: number, keys: number): number | undefined {
  const data = graph.constants.get(mask);
  if (data?.type !== 'float32' || data.dims.reduce((all, dim) => all * dim, 1) !== queries * keys)
    return undefined;
  const values = readNumbers(data);
  const past = values.findLastIndex((value, i) => i < keys && value === 0);
  if (past < 0) return undefined;
  const isCausal = values.every((value, i) =>
    (i % keys) - past <= Math.floor(i / keys) ? value === 0 : value <= hides,
  );
  return isCausal ? past : undefined;
}

/** The node of one operator that computes a value which nothing else reads. */
function only({ producers, uses }: Context, value: string, op: string): Node | undefined {
  const node = producers.get(value);
  return node?.op === op && uses.get(value) === 1 ? node : undefined;
}

/** A value, and the number that it is multiplied by. */
function scaled({ graph, producers }: Context, value: string): { value: string; scale: number } {
  const node = producers.get(value);
  const affine = node?.op === 'Affine' ? activationOf(graph, node) : undefined;
  if (node === undefined || affine === undefined || affine.beta !== 0) return { value, scale: 1 };
  return { value: node.inputs[0] ?? '', scale: affine.alpha };
}

/** scale * (q k^T) + mask, in the orders that exporters write. */
function scoresAt(
  context: Context,
  value: string,
): { product: Node; scale: number; mask: string | undefined } | undefined {
  const { graph } = context;
  let [inner, mask]: [string, string | undefined] = [value, undefined];
  const sum = only(context, value, 'Add');
  if (sum !== undefined) {
    const dims = graph.values.get(value)?.dims.join();
    const index = sum.inputs.findIndex(
      (input) => graph.values.get(input)?.dims.join() === dims && isScores(context, input),
    );
    if (index < 0) return undefined;
    inner = sum.inputs[index] ?? '';
    mask = sum.inputs[1 - index] ?? '';
  }
  const affine = only(context, inner, 'Affine');
  const product = only(context, affine === undefined ? inner : (affine.inputs[0] ?? ''), 'MatMul');
  if (product === undefined) return undefined;
  const { scale } = affine === undefined ? { scale: 1 } : scaled(context, inner);
  const hasShift = affine !== undefined && activationOf(graph, affine)?.beta !== 0;
  return hasShift ? undefined : { product, scale, mask };
}

function isScores(context: Context, value: string): boolean {
  const affine = only(context, value, 'Affine');
  return only(context, affine === undefined ? value : (affine.inputs[0] ?? ''), 'MatMul') !== undefined;
}

interface Heads {
  readonly batch: number;
  readonly heads: number;
  /** Heads that follow one another and are the same. */
  readonly repeats: number;
  readonly tokens: number;
  readonly size: number;
  /** Along [batch, head, token]. */
  readonly strides: readonly [number, number, number];
}

/** A view [batch, heads, tokens, size] or [batch, tokens, size], the last two swapped where `transposed`. */
function headsOf(view: View | undefined, transposed = false): Heads | undefined {
  const axes = view?.axes ?? [];
  if (axes.length < 3 || axes.length > 4) return undefined;
  const [last = [], before = []] = [axes.at(-1), axes.at(-2)];
  const [size, tokens] = transposed ? [before, last] : [last, before];
  const [batch = [], own = []] = axes.length === 4 ? [axes[0], axes[1]] : [axes[0], []];
  const repeated = own.length > 0 && own.at(-1)?.stride === 0 ? own.at(-1) : undefined;
  const heads = repeated === undefined ? own : own.slice(0, -1);
  if ([batch, heads, tokens, size].some((runs) => runs.length > 1)) return undefined;
  if (size[0] !== undefined && size[0].stride !== 1) return undefined;
  return {
    batch: batch[0]?.size ?? 1,
    heads: heads[0]?.size ?? 1,
    repeats: repeated?.size ?? 1,
    tokens: tokens[0]?.size ?? 1,
    size: size[0]?.size ?? 1,
    strides: [batch[0]?.stride ?? 0, heads[0]?.stride ?? 0, tokens[0]?.stride ?? 0],
  };
}

/** The transpose that alone reads the product and puts its tokens before its heads. */
function transposeBehind({ graph, uses }: Context, node: Node): Node | undefined {
  const output = node.outputs[0] ?? '';
  if (uses.get(output) !== 1) return undefined;
  const reader = graph.nodes.find((other) => other.inputs.includes(output));
  const isSwap = reader?.op === 'Transpose' && intsAttribute(reader, 'perm')?.join() === '0,2,1,3';
  return isSwap ? reader : undefined;
}

/** Strides of the product along [batch, head, token], as it is written. */
function outputStrides(dims: readonly number[], isSwapped: boolean): readonly number[] {
  const [first = 0, second = 0, third = 0] = rowMajorStrides(dims);
  if (dims.length === 3) return [first, 0, second];
  if (!isSwapped) return [first, second, third];
  const [batch = 1, heads = 1, tokens = 1, size = 1] = dims;
  const [b = 0, t = 0, h = 0] = rowMajorStrides([batch, tokens, heads, size]);
  return [b, h, t];
}

/** Strides of a mask along [batch, head, query, key]. */
function maskStrides(mask: readonly number[], scores: readonly number[]): readonly number[] | undefined {
  if (broadcastDims(mask, scores)?.join() !== scores.join()) return undefined;
  const strides = broadcastStrides(mask, scores);
  return scores.length === 4 ? strides : [strides[0] ?? 0, 0, ...strides.slice(1)];
}
