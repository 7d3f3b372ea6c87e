import { intAttribute, intValue } from '../../../graph/attributes.js';
import type { Edit } from './edit.js';
import { withAttribute } from './edit.js';
import { gather, pad, slice, split } from './movement.js';
import { layerNormalization, reduceMean, rmsNormalization } from './norms.js';
import { dimsFrom, reshape, shape } from './shapes.js';

/** A depthwise convolution has one group for each channel; others keep their groups, which shrink alike. */
const conv: Edit = (node, { selection }) => {
  const [, weight = ''] = node.inputs;
  const groups = intAttribute(node, 'group', 1);
  const [x = ''] = node.inputs;
  if (groups === 1 || selection.oldDims(weight)[1] !== 1) return [node];
  return [withAttribute(node, 'group', intValue(selection.newDims(x)[1] ?? 1))];
};

const convTranspose: Edit = (node, { selection }) => {
  const [, weight = ''] = node.inputs;
  const groups = intAttribute(node, 'group', 1);
  if (groups === 1 || groups !== selection.oldDims(weight)[0]) return [node];
  return [withAttribute(node, 'group', intValue(selection.newDims(weight)[0] ?? 1))];
};

/** Nodes that state sizes or numbers of channels; all others take what they are given. */
export const edits: ReadonlyMap<string, Edit> = new Map(
  Object.entries({
    Conv: conv,
    ConvTranspose: convTranspose,
    Split: split,
    Slice: slice,
    Pad: pad,
    Gather: gather,
    Reshape: reshape,
    Expand: dimsFrom(1),
    ConstantOfShape: dimsFrom(0),
    Resize: dimsFrom(3),
    Shape: shape,
    LayerNormalization: layerNormalization,
    RMSNormalization: rmsNormalization,
    ReduceMean: reduceMean,
  }),
);
