import type { Graph } from '../graph/graph.js';
import { LayerBuilder } from './layers.js';

export interface VitOptions {
  readonly image?: number;
  /** Side of a patch, in pixels. Default: 16. */
  readonly patch?: number;
  /** Default: 384, ViT-S; 768 with 12 heads is ViT-B. */
  readonly width?: number;
  readonly heads?: number;
  readonly depth?: number;
  readonly classes?: number;
  /** One product for queries, keys and values, split afterwards. Default: true. */
  readonly packed?: boolean;
  readonly seed?: number;
}

/** A. Dosovitskiy et al., "An image is worth 16x16 words", 2021: input `image`, output `scores`. */
export function vit(options: VitOptions = {}): Graph {
  const { image = 224, patch = 16, width = 384, heads = 6, depth = 12, classes = 1000, seed = 1 } = options;
  const b = new LayerBuilder('vit', seed);
  const pixels = b.input('image', [1, 3, image, image]);
  const patches = b.conv(pixels, width, { kernel: patch, stride: patch, pad: 0, bias: true, gain: 1 });
  const tokens = b.transpose(b.reshape(patches, [1, width, -1]), [0, 2, 1]);
  let x = b.node('Concat', [b.random([1, 1, width], 0.1), tokens], { axis: 1 });
  x = b.add(x, b.random([1, b.dims(x)[1] ?? 0, width], 0.1));
  for (let i = 0; i < depth; i++) {
    const y = b.layerNorm(x);
    x = b.add(
      x,
      options.packed === false ? attention(b, y, { heads, kvHeads: heads }) : packedAttention(b, y, heads),
    );
    x = b.add(x, b.linear(b.node('Gelu', [b.linear(b.layerNorm(x), 4 * width)]), width));
  }
  const first = b.node('Gather', [b.layerNorm(x), b.scalar(0, 'int64')], { axis: 1 });
  return b.output('scores', b.linear(first, classes)).build();
}

/** x [1, tokens, width] -> the same: queries, keys and values out of one product. */
function packedAttention(b: LayerBuilder, x: string, heads: number): string {
  const [, tokens = 0, width = 0] = b.dims(x);
  const head = width / heads;
  const packed = b.reshape(b.linear(x, 3 * width), [1, tokens, 3, heads, head]);
  const parts = b.nodes('Split', [b.transpose(packed, [2, 0, 3, 1, 4]), b.ints([1, 1, 1])], 3, { axis: 0 });
  const [q = '', k = '', v = ''] = parts.map((part) => b.node('Squeeze', [part, b.ints([0])]));
  const scaled = b.node('Mul', [q, b.scalar(head ** -0.5)]);
  const scores = b.node('Softmax', [b.node('MatMul', [scaled, b.transpose(k, [0, 1, 3, 2])])], { axis: -1 });
  const mixed = b.transpose(b.node('MatMul', [scores, v]), [0, 2, 1, 3]);
  return b.linear(b.reshape(mixed, [1, tokens, width]), width);
}

export interface LlamaOptions {
  readonly tokens?: number;
  readonly vocabulary?: number;
  readonly width?: number;
  readonly heads?: number;
  /** Heads of keys and values; each serves heads / kvHeads heads of queries. Default: 4. */
  readonly kvHeads?: number;
  readonly depth?: number;
  /** Width between the two products of the perceptron. Default: 5632. */
  readonly hidden?: number;
  /** The scores are products with the embedding of the tokens. Default: false. */
  readonly tied?: boolean;
  readonly seed?: number;
}

/**
 * H. Touvron et al., "LLaMA", 2023, with the grouped-query attention of J. Ainslie et al., "GQA", 2023: input `tokens`
 * (int64 [1, tokens]), output `scores`. The defaults are those of TinyLlama, 1.1e9 weights.
 */
export function llama(options: LlamaOptions = {}): Graph {
  const { tokens = 64, vocabulary = 32000, width = 2048, heads = 32, kvHeads = 4, depth = 22 } = options;
  const { hidden = 5632, tied = false, seed = 1 } = options;
  const b = new LayerBuilder('llama', seed);
  const ids = b.input('tokens', [1, tokens], 'int64');
  const table = b.random([vocabulary, width], 1);
  let x = b.node('Gather', [table, ids], { axis: 0 });
  for (let i = 0; i < depth; i++) {
    x = b.add(x, attention(b, b.rmsNorm(x), { heads, kvHeads, bias: false, causal: true, rotary: true }));
    const y = b.rmsNorm(x);
    const gated = b.node('Mul', [
      b.silu(b.linear(y, hidden, { bias: false })),
      b.linear(y, hidden, { bias: false }),
    ]);
    x = b.add(x, b.linear(gated, width, { bias: false }));
  }
  const y = b.rmsNorm(x);
  const scores = tied
    ? b.node('MatMul', [y, b.transpose(table, [1, 0])])
    : b.linear(y, vocabulary, { bias: false });
  return b.output('scores', scores).build();
}

interface AttentionOptions {
  readonly heads: number;
  readonly kvHeads: number;
  readonly bias?: boolean;
  readonly causal?: boolean;
  readonly rotary?: boolean;
}

/** x [1, tokens, width] -> the same: queries, keys and values each by a product of their own. */
function attention(b: LayerBuilder, x: string, options: AttentionOptions): string {
  const { heads, kvHeads, bias = true, causal = false, rotary = false } = options;
  const [, tokens = 0, width = 0] = b.dims(x);
  const head = width / heads;
  const split = (count: number) =>
    b.transpose(b.reshape(b.linear(x, count * head, { bias }), [1, tokens, count, head]), [0, 2, 1, 3]);
  const turned = (y: string) => (rotary ? rotate(b, y) : y);
  const repeated = (y: string) => {
    if (kvHeads === heads) return y;
    const wide = [1, kvHeads, heads / kvHeads, tokens, head];
    return b.reshape(b.node('Expand', [b.node('Unsqueeze', [y, b.ints([2])]), b.ints(wide)]), [
      1,
      heads,
      tokens,
      head,
    ]);
  };
  const [q, k, v] = [turned(split(heads)), repeated(turned(split(kvHeads))), repeated(split(kvHeads))];
  let scores = b.node('MatMul', [q, b.transpose(k, [0, 1, 3, 2])]);
  scores = b.node('Div', [scores, b.scalar(Math.sqrt(head))]);
  if (causal) {
    const mask = Array.from({ length: tokens ** 2 }, (_, i) =>
      i % tokens > Math.floor(i / tokens) ? -1e9 : 0,
    );
    scores = b.add(scores, b.constant([1, 1, tokens, tokens], mask));
  }
  const mixed = b.transpose(b.node('MatMul', [b.node('Softmax', [scores], { axis: -1 }), v]), [0, 2, 1, 3]);
  return b.linear(b.reshape(mixed, [1, tokens, width]), width, { bias });
}

/** Rotary positions: J. Su et al., "RoFormer", 2021. x is [1, heads, tokens, head]. */
function rotate(b: LayerBuilder, x: string): string {
  const [, , tokens = 0, head = 0] = b.dims(x);
  const half = head / 2;
  const angles = Array.from({ length: tokens * head }, (_, i) => {
    const [position, at] = [Math.floor(i / head), i % half];
    return position / 10000 ** (at / half);
  });
  const table = (of: (angle: number) => number) => b.constant([1, 1, tokens, head], angles.map(of));
  const part = (start: number, end: number) =>
    b.node('Slice', [x, b.ints([start]), b.ints([end]), b.ints([3])]);
  const turned = b.node('Concat', [b.node('Neg', [part(half, head)]), part(0, half)], { axis: -1 });
  return b.add(b.node('Mul', [x, table(Math.cos)]), b.node('Mul', [turned, table(Math.sin)]));
}
