import { createCipheriv, createHash } from 'node:crypto';

/** @import { Graph } from '../../../dist/graph/graph.js' */
/** @import { Shape, Zeros } from './cases.mjs' */

const chunkWords = 1 << 18;

/**
 * Numbers that look random and depend on the seed alone: a cipher in counter mode, which is fast enough for 16 million.
 * They come in chunks, because fresh memory for all of them would cost more than the cipher does.
 * @param {string} seed
 * @param {number} count
 * @returns {Generator<{ start: number, words: Uint32Array }>}
 */
function* randomWords(seed, count) {
  const cipher = createCipheriv('aes-256-ctr', createHash('sha256').update(seed).digest(), Buffer.alloc(16));
  const zeros = new Uint8Array(4 * chunkWords);
  const words = new Uint32Array(chunkWords);
  const bytes = new Uint8Array(words.buffer);
  for (let start = 0; start < count; start += chunkWords) {
    bytes.set(cipher.update(zeros));
    yield { start, words: words.subarray(0, Math.min(chunkWords, count - start)) };
  }
}

/** Uniform in (-scale, scale), never 0. @param {string} seed @param {number} count @param {number} scale */
export function randomValues(seed, count, scale) {
  const values = new Float32Array(count);
  for (const { start, words } of randomWords(seed, count)) {
    for (let i = 0; i < words.length; i++)
      values[start + i] = scale * (((words[i] ?? 0) + 0.5) / 2 ** 31 - 1);
  }
  return values;
}

/**
 * Which of `count` units stay: exactly `kept` of them, every choice equally likely (Knuth, The Art of Computer
 * Programming 2, 3.4.2, algorithm S).
 * @param {string} seed @param {number} count @param {number} kept
 */
export function chooseUnits(seed, count, kept) {
  const chosen = new Uint8Array(count);
  let needed = kept;
  for (const { start, words } of randomWords(seed, count)) {
    for (let i = 0; i < words.length; i++) {
      if ((words[i] ?? 0) * (count - start - i) >= needed * 2 ** 32) continue;
      chosen[start + i] = 1;
      needed--;
    }
  }
  return chosen;
}

/**
 * 1 where a weight stays, [inputs, outputs]. The count is exact: sparsity x units, rounded.
 * @param {Shape} shape
 * @param {Zeros} zeros
 */
export function makeMask({ inputs, outputs }, { pattern, sparsity }) {
  const seed = `mask ${inputs} ${outputs} ${pattern} ${sparsity}`;
  const count = inputs * outputs;
  if (pattern === 'dense') return new Uint8Array(count).fill(1);
  if (pattern === '2:4') return twoOfFour(seed, inputs, outputs);
  const rows = pattern === 'unstructured' ? 1 : Number.parseInt(pattern, 10);
  if (outputs % rows !== 0) throw new Error(`Expected outputs in blocks of ${rows}, got ${outputs}`);
  const units = count / rows;
  const kept = chooseUnits(seed, units, units - Math.round(sparsity * units));
  if (rows === 1) return kept;
  const mask = new Uint8Array(count);
  for (let unit = 0; unit < units; unit++) {
    if (kept[unit] === 1) mask.fill(1, unit * rows, (unit + 1) * rows);
  }
  return mask;
}

/** Of every four consecutive inputs of an output two stay: any of the six pairs. */
const pairs = /** @type {const} */ ([
  [0, 1],
  [0, 2],
  [0, 3],
  [1, 2],
  [1, 3],
  [2, 3],
]);

/** @param {string} seed @param {number} inputs @param {number} outputs */
function twoOfFour(seed, inputs, outputs) {
  if (inputs % 4 !== 0) throw new Error(`Expected inputs in groups of 4, got ${inputs}`);
  const mask = new Uint8Array(inputs * outputs);
  for (const { start, words } of randomWords(seed, (inputs / 4) * outputs)) {
    for (let i = 0; i < words.length; i++) {
      const group = Math.floor((start + i) / outputs);
      const output = (start + i) % outputs;
      const pair = pairs[(words[i] ?? 0) % pairs.length] ?? pairs[0];
      for (const input of pair) mask[(4 * group + input) * outputs + output] = 1;
    }
  }
  return mask;
}

/**
 * Weights [inputs, outputs], scaled so that outputs stay near 1 whatever was removed.
 * @param {Shape} shape
 * @param {Zeros} zeros
 * @returns {{ weights: Float32Array, nonZeros: number }}
 */
export function makeWeights(shape, zeros) {
  const { inputs, outputs } = shape;
  const scale = 1 / Math.sqrt(inputs * (1 - zeros.sparsity));
  const weights = randomValues(`weights ${inputs} ${outputs}`, inputs * outputs, scale);
  const mask = makeMask(shape, zeros);
  let nonZeros = 0;
  for (let i = 0; i < mask.length; i++) {
    if (mask[i] === 1) nonZeros++;
    else weights[i] = 0;
  }
  return { weights, nonZeros };
}

/**
 * A model of one MatMul: `y` [tokens, outputs] = `x` [tokens, inputs] times constant weights, any number of tokens.
 * @param {Shape} shape
 * @param {Float32Array} weights [inputs, outputs]
 * @returns {Graph}
 */
export function makeModel({ inputs, outputs }, weights) {
  const bytes = new Uint8Array(weights.buffer);
  return {
    name: 'linear',
    inputs: [{ name: 'x', type: 'float32', dims: ['tokens', inputs] }],
    outputs: [{ name: 'y', type: 'float32', dims: ['tokens', outputs] }],
    nodes: [
      { name: 'linear', op: 'MatMul', domain: '', inputs: ['x', 'w'], outputs: ['y'], attributes: new Map() },
    ],
    constants: new Map([['w', { type: 'float32', dims: [inputs, outputs], bytes }]]),
    opsets: new Map([['', 17]]),
    metadata: {},
  };
}
