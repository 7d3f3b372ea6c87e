/**
 * A linear layer y = x W: W is [inputs, outputs].
 * @typedef {{ readonly inputs: number, readonly outputs: number }} Shape
 *
 * What the zeros of W look like: none, blocks of r consecutive outputs that share one input, two of every four
 * consecutive inputs of an output, or anywhere.
 * @typedef {(typeof patterns)[number]} Pattern
 *
 * @typedef {{ readonly pattern: Pattern, readonly sparsity: number }} Zeros
 */

export const patterns = /** @type {const} */ (['dense', '16x1', '8x1', '4x1', '2:4', 'unstructured']);
export const sparsities = [0, 0.5, 0.7, 0.8, 0.9, 0.95];
export const tokenCounts = [1, 4, 16, 64, 197, 256];

/** @param {readonly (readonly [outputs: number, inputs: number])[]} pairs @returns {Shape[]} */
const layers = (pairs) => pairs.map(([outputs, inputs]) => ({ inputs, outputs }));

/** Shapes that the bars in bars.mjs hold for. */
const bars = layers([
  [768, 768],
  [3072, 768],
  [768, 3072],
  [4096, 4096],
]);

/** Shapes of networks that robots run: ViT-S, a SmolVLA-like policy, and small policies of fully connected layers. */
const models = layers([
  [384, 384],
  [1536, 384],
  [384, 1536],
  [960, 960],
  [2560, 960],
  [960, 2560],
  [720, 720],
  [512, 48],
  [256, 512],
  [128, 256],
]);

export const shapeSets = { bars, models, all: [...bars, ...models] };

/** True for a shape that the bars hold for. @param {Shape} shape */
export const isBarShape = ({ inputs, outputs }) =>
  bars.some((bar) => bar.inputs === inputs && bar.outputs === outputs);

/** @type {Zeros} */
export const dense = { pattern: 'dense', sparsity: 0 };

/**
 * The kinds of W of these patterns and sparsities: dense first, which all others are compared with, then sparsity by
 * sparsity. 2:4 is half zeros.
 * @param {{ patterns: readonly Pattern[], sparsities: readonly number[] }} wanted
 * @returns {Zeros[]}
 */
export function combine(wanted) {
  const sparse = [...wanted.sparsities]
    .sort((a, b) => a - b)
    .flatMap((sparsity) => wanted.patterns.map((pattern) => ({ pattern, sparsity })))
    .filter(({ pattern, sparsity }) => pattern !== 'dense' && sparsity > 0)
    .filter(({ pattern, sparsity }) => pattern !== '2:4' || sparsity === 0.5);
  return [dense, ...sparse];
}

/** `16x1 80 %`, `dense`. @param {Zeros} zeros */
export const printZeros = ({ pattern, sparsity }) =>
  pattern === 'dense' ? pattern : `${pattern} ${printPercent(sparsity)}`;

/** @param {number} share */
export const printPercent = (share) => `${Number((100 * share).toFixed(1))} %`;

/** `768 -> 3072`. @param {Shape} shape */
export const printShape = ({ inputs, outputs }) => `${inputs} → ${outputs}`;
