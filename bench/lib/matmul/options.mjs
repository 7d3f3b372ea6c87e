import { parseArgs } from 'node:util';
import { peerNames } from '../peer-process.mjs';
import { patterns, shapeSets, sparsities, tokenCounts } from './cases.mjs';

/** @import { Shape } from './cases.mjs' */

const listed = {
  patterns: { all: patterns, usual: 'dense,16x1,4x1,unstructured' },
  sparsities: { all: sparsities.map((share) => 100 * share), usual: 'all' },
  peers: { all: peerNames, usual: 'all' },
};

/** Reads the command line; bench/matmul.mjs says what it may hold. */
export function readOptions() {
  const text = (/** @type {string} */ value) => /** @type {const} */ ({ type: 'string', default: value });
  const { values } = parseArgs({
    options: {
      shapes: text('bars'),
      tokens: text('1,64,256'),
      patterns: text(listed.patterns.usual),
      sparsities: text(listed.sparsities.usual),
      peers: text(listed.peers.usual),
      threads: text('1'),
      rounds: text('9'),
      milliseconds: text('60'),
      isa: { type: 'string' },
      json: { type: 'string' },
    },
  });
  const threads = oneOf('threads', [1, 2], Number(values.threads));
  const tokens = readTokens(values.tokens).filter((count) => threads === 1 || count >= 64);
  if (tokens.length === 0) throw new Error('Expected --tokens of 64 or more for --threads 2');
  return {
    shapes: readShapes(values.shapes),
    tokens,
    patterns: someOf('patterns', listed.patterns.all, values.patterns),
    sparsities: someOf('sparsities', listed.sparsities.all, values.sparsities).map((share) => share / 100),
    peers: values.peers === 'none' ? [] : someOf('peers', listed.peers.all, values.peers),
    threads,
    rounds: positive('rounds', values.rounds),
    milliseconds: positive('milliseconds', values.milliseconds),
    isa: values.isa,
    json: values.json,
  };
}

/** A set of shapes, or shapes as outputs x inputs. @param {string} text @returns {readonly Shape[]} */
function readShapes(text) {
  if (text === 'bars' || text === 'models' || text === 'all') return shapeSets[text];
  return text.split(',').map((item) => {
    const [, outputs, inputs] = /^([1-9]\d*)x([1-9]\d*)$/.exec(item.trim()) ?? [];
    if (outputs !== undefined && inputs !== undefined)
      return { inputs: Number(inputs), outputs: Number(outputs) };
    throw new Error(`Expected --shapes of bars, models, all or shapes such as 3072x768, got "${item}"`);
  });
}

/** @param {string} text */
const readTokens = (text) =>
  text === 'all' ? tokenCounts : text.split(',').map((item) => positive('tokens', item));

/** @template T @param {string} name @param {readonly T[]} known @param {unknown} value @returns {T} */
function oneOf(name, known, value) {
  const found = known.find((candidate) => candidate === value);
  if (found === undefined) throw new Error(`Expected --${name} of ${known.join(', ')}, got ${value}`);
  return found;
}

/** A list separated by commas, or `all`. @template T @param {string} name @param {readonly T[]} known @param {string} text */
function someOf(name, known, text) {
  if (text === 'all') return [...known];
  return text.split(',').map((item) => {
    const found = known.find((candidate) => String(candidate) === item.trim());
    if (found === undefined)
      throw new Error(`Expected --${name} of ${known.join(', ')} or all, got "${item}"`);
    return found;
  });
}

/** A whole number of 1 or more. @param {string} name of the option @param {string} text */
export function positive(name, text) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`Expected --${name} of 1 or more, got ${text}`);
  return value;
}
