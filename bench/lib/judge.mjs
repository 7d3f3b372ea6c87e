import { errorOf, tolerance } from './compare.mjs';

/** @import { Graph } from '../../dist/graph/graph.js' */
/** @import { Values, ValuesByName } from './engines.mjs' */
/** @import { Probe } from './models.mjs' */

/**
 * @typedef {object} Judgement
 * @property {number} error the largest error of what was compared
 * @property {readonly string[]} undetermined outputs that were not compared themselves, but by what goes into them
 *
 * @typedef {object} Case
 * @property {ValuesByName} expected onnxruntime's outputs
 * @property {ValuesByName} actual espalier's
 * @property {Probe | undefined} probe
 * @property {() => Promise<ValuesByName>} unoptimised onnxruntime's outputs without its graph optimisations
 * @property {() => Promise<{ expected: ValuesByName, actual: ValuesByName }>} probed both engines' outputs for the same
 *   graph with the probe's value as one more output
 */

/**
 * The largest error over all outputs, where each is determined by float32 arithmetic at all.
 *
 * A network that was pruned and not fine-tuned may end in a last step that magnifies the last bit of what goes into it:
 * the peaks of a nearly flat map change place, a saturated sigmoid is zero or nearly zero. Such an output says nothing
 * about an engine: onnxruntime with and without its graph optimisations disagrees with itself beyond the tolerance, or
 * is exactly zero everywhere, with nothing for an error to be relative to, or all values agree but for a few peaks that
 * have a neighbour of the same height. Then, and only then, what goes into the last step is compared instead, under the
 * same tolerance.
 * @param {Case} options
 * @returns {Promise<Judgement>}
 */
export async function judge({ expected, actual, probe, unoptimised, probed }) {
  const errors = [];
  const undetermined = [];
  for (const name of Object.keys(expected)) {
    const error = errorOf(expected[name], actual[name]);
    if (error <= tolerance || name !== probe?.output) {
      errors.push(error);
    } else if (await isUndetermined(name, { expected, actual, unoptimised })) {
      undetermined.push(name);
      const inner = await probed();
      errors.push(errorOf(inner.expected[probe.value], inner.actual[probe.value]));
    } else {
      errors.push(error);
    }
  }
  if (errors.length === 0) throw new Error('Expected outputs to compare with, got none');
  return { error: Math.max(...errors), undetermined };
}

/**
 * @param {string} name
 * @param {Pick<Case, 'expected' | 'actual' | 'unoptimised'>} options
 */
async function isUndetermined(name, { expected, actual, unoptimised }) {
  const [wanted, got] = [expected[name], actual[name]];
  if (wanted === undefined || got === undefined || wanted.dims.join() !== got.dims.join()) return false;
  if (largest(wanted) === 0) return largest(got) <= tolerance;
  if (shareApart(wanted, got) <= fewPeaks) return true;
  return errorOf(wanted, (await unoptimised())[name]) > tolerance;
}

/** Share of the values of a map that may be peaks which moved to a neighbour. */
const fewPeaks = 1e-3;

/** Share of the values that are further apart than the tolerance. @param {Values} expected @param {Values} actual */
function shareApart(expected, actual) {
  const allowed = tolerance * largest(expected);
  const apart = expected.data.filter((value, i) => !(Math.abs(value - (actual.data[i] ?? 0)) <= allowed));
  return apart.length / expected.data.length;
}

/** Infinity when a value is not a number. @param {Values} values */
function largest({ data }) {
  return data.reduce(
    (max, value) => (Number.isNaN(value) ? Number.POSITIVE_INFINITY : Math.max(max, Math.abs(value))),
    0,
  );
}

/** A graph with the probe's value as one more output. @param {Graph} graph @param {Probe} probe @returns {Graph} */
export function withProbe(graph, { value }) {
  return { ...graph, outputs: [...graph.outputs, { name: value, type: 'float32', dims: undefined }] };
}
