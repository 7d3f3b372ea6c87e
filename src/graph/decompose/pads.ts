import { choiceAttribute } from '../attributes.js';
import { padModes, padsOf } from '../operators/pad.js';
import { type DecompositionFamily, Words } from './definition.js';

export const pads: DecompositionFamily = {
  /** What negative pads remove goes before anything is repeated, as in onnxruntime. */
  Pad: (context, decomposer) => {
    const mode = choiceAttribute(context.node, 'mode', padModes, 'constant');
    const { begin, end } = padsOf(context);
    if (mode === 'constant' || [...begin, ...end].every((count) => count >= 0)) return undefined;
    const w = new Words(decomposer);
    const cropped = begin.reduce((x, before, axis) => {
      const [from, size] = [Math.max(0, -before), context.dims(0)[axis] ?? 0];
      const to = Math.max(from, size - Math.max(0, -(end[axis] ?? 0)));
      return from === 0 && to === size ? x : w.slice(x, axis, from, to);
    }, context.node.inputs[0] ?? '');
    const added = [...begin, ...end].map((count) => Math.max(0, count));
    return [w.op('Pad', [cropped, w.list(added)], { mode: { kind: 'string', value: mode } })];
  },
};
