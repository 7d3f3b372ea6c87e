import { floatAttribute, floatValue } from '../../../graph/attributes.js';
import { fromNumbers, int64List, readElements, readNumbers } from '../../../graph/data.js';
import { type Edit, type EditContext, helper, withAttribute, withInput } from './edit.js';

/*
 * Normalisations over fewer channels than before. A channel that is gone counts as zero, so the statistics stay those
 * over all the channels that were: with those of the channels that are left, all of them would shrink.
 */

/** Zeros in the place of what is gone, and behind the normalisation they go again: the statistics are those that were. */
export const layerNormalization: Edit = (node, context) => {
  const [x = '', ...affine] = node.inputs;
  const [output = ''] = node.outputs;
  const { old, now, axis } = lastAxis(x, context);
  if (old === now) return [node];
  const { fresh, constant } = context;
  const padded = (value: string, rank: number) => {
    const pads = new Array<number>(2 * rank).fill(0).with(2 * rank - 1, old - now);
    const result = fresh(node, 'padded');
    return {
      result,
      nodes: [helper(node, context, 'Pad', [value, constant(node, 'pads', int64List(pads))], result)],
    };
  };
  const inputs = [padded(x, axis + 1), ...affine.map((value) => padded(value, 1))];
  const whole = fresh(node, 'whole');
  const [start, end, axes] = [[0], [now], [axis]].map((list) => constant(node, 'cut', int64List(list))) as [
    string,
    string,
    string,
  ];
  return [
    ...inputs.flatMap(({ nodes }) => nodes),
    { ...node, inputs: inputs.map(({ result }) => result), outputs: [whole] },
    helper(node, context, 'Slice', [whole, start, end, axes], output),
  ];
};

/** x / sqrt(sum x^2 / D + e) over D' of D channels: the scale grows by sqrt(D / D'), e by D / D'. */
export const rmsNormalization: Edit = (node, context) => {
  const [x = '', scale = ''] = node.inputs;
  const { old, now } = lastAxis(x, context);
  const data = context.known.get(scale);
  if (old === now || data === undefined) return [node];
  const values = readElements(data) as Float32Array;
  const kept = Array.from(
    context.selection.kept(scale, 0),
    (i) => (values[i] as number) * Math.sqrt(old / now),
  );
  const grown = context.constant(node, 'scale', fromNumbers(data.type, [kept.length], kept));
  const epsilon = (floatAttribute(node, 'epsilon', 1e-5) * old) / now;
  return [withInput(withAttribute(node, 'epsilon', floatValue(epsilon)), 1, grown)];
};

/** A mean of squares is over as many as before, of which those that are gone are zeros. */
export const reduceMean: Edit = (node, context) => {
  const { selection, known, fresh, constant } = context;
  const [x = '', axes = ''] = node.inputs;
  const [output = ''] = node.outputs;
  const data = known.get(axes);
  const rank = selection.oldDims(x).length;
  const given = data === undefined ? [] : readNumbers(data);
  const [old, now] = [selection.oldDims(x), selection.newDims(x)].map((dims) =>
    given.reduce((product, axis) => product * (dims[axis < 0 ? axis + rank : axis] ?? 1), 1),
  ) as [number, number];
  if (old === now) return [node];
  const mean = fresh(node, 'mean');
  const share = constant(node, 'share', fromNumbers('float32', [], [now / old]));
  return [{ ...node, outputs: [mean] }, helper(node, context, 'Mul', [mean, share], output)];
};

function lastAxis(value: string, { selection }: EditContext): { old: number; now: number; axis: number } {
  const axis = selection.oldDims(value).length - 1;
  return { old: selection.oldDims(value)[axis] ?? 1, now: selection.newDims(value)[axis] ?? 1, axis };
}
