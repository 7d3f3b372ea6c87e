import { intAttribute, intsAttribute } from '../../../graph/attributes.js';
import { padSpans, resolveAxis, sliceSpans } from '../spans.js';
import type { Links, RuleFamily } from './rule.js';

/** Operators that copy elements to other places. */
export const movement: RuleFamily = {
  Transpose: (links) => {
    const rank = links.dims(links.output).length;
    const perm = intsAttribute(links.node, 'perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
    for (const [target, axis] of perm.entries()) links.linkAxes(links.input(0), axis, links.output, target);
  },
  Concat: (links) => {
    const axis = resolveAxis(intAttribute(links.node, 'axis', 0), links.dims(links.output).length);
    let start = 0;
    for (const input of links.node.inputs) {
      linkOthers(links, input, links.output, axis);
      const size = links.dims(input)[axis] ?? 0;
      for (let i = 0; i < size; i++) links.link(input, axis, i, links.output, axis, start + i);
      start += size;
    }
  },
  Split: (links) => {
    const x = links.input(0) ?? '';
    const axis = resolveAxis(intAttribute(links.node, 'axis', 0), links.dims(x).length);
    let start = 0;
    for (const output of links.node.outputs) {
      if (output === '') return links.refuse('leaves out an output');
      linkOthers(links, x, output, axis);
      const size = links.dims(output)[axis] ?? 0;
      for (let i = 0; i < size; i++) links.link(x, axis, start + i, output, axis, i);
      start += size;
    }
  },
  Slice: (links) => {
    const x = links.input(0) ?? '';
    const spans = sliceSpans(
      links.dims(x),
      [1, 2, 3, 4].map((i) => links.numbers(i)),
    );
    if (spans === undefined) return links.refuse('has bounds that are computed');
    for (const [axis, { start, step, count }] of spans.entries())
      for (let i = 0; i < count; i++) links.link(x, axis, start + i * step, links.output, axis, i);
  },
  Pad: (links) => {
    const x = links.input(0) ?? '';
    const dims = links.dims(x);
    const spans = padSpans(links.node, dims, links.numbers(1), links.numbers(3));
    if (spans === undefined) return links.refuse('pads in another way than with a constant');
    for (const [axis, begin] of spans.begins.entries())
      for (let i = 0; i < (dims[axis] ?? 0); i++) links.link(x, axis, i, links.output, axis, begin + i);
  },
  Gather: (links) => {
    const [x = '', indices = ''] = links.node.inputs;
    const dims = links.dims(x);
    const axis = resolveAxis(intAttribute(links.node, 'axis', 0), dims.length);
    const rank = links.dims(indices).length;
    for (let other = 0; other < dims.length; other++) {
      if (other !== axis) links.linkAxes(x, other, links.output, other < axis ? other : other + rank - 1);
    }
    for (let i = 0; i < rank; i++) links.linkAxes(indices, i, links.output, axis + i);
    const known = rank === 1 ? links.numbers(1) : undefined;
    if (known === undefined) return links.pinAxis(x, axis, 'reads it by number');
    const size = dims[axis] ?? 1;
    for (const [i, index] of known.entries())
      links.link(x, axis, resolveAxis(index, size), links.output, axis, i);
  },
  Expand: (links) => {
    const rank = links.dims(links.output).length;
    const own = links.dims(links.input(0));
    links.linkBroadcast(links.input(0), links.output);
    for (const [axis, dim] of links.dims(links.output).entries())
      if (dim !== own[axis - rank + own.length]) links.pinAxis(links.output, axis, 'repeats along it');
  },
  Tile: (links) => {
    const x = links.input(0) ?? '';
    for (const [axis, dim] of links.dims(x).entries()) {
      const size = links.dims(links.output)[axis] ?? 0;
      for (let i = 0; i < size; i++) links.link(x, axis, i % dim, links.output, axis, i);
    }
  },
  Resize: (links) => {
    const x = links.input(0) ?? '';
    for (const [axis, dim] of links.dims(x).entries()) {
      if (axis < 2 && dim === links.dims(links.output)[axis]) links.linkAxes(x, axis, links.output, axis);
      else for (const value of [x, links.output]) links.pinAxis(value, axis, 'resizes along it');
    }
  },
  DepthToSpace: (links) => blocks(links, links.output, links.input(0) ?? ''),
  SpaceToDepth: (links) => blocks(links, links.input(0) ?? '', links.output),
  // The dims that a model asks for stay those it had, and what is made of them is corrected: see edits/shapes.ts.
  Shape: () => {},
  ConstantOfShape: () => {},
  Size: (links) => links.pinAll(links.input(0), 'counts its elements'),
};

function linkOthers(links: Links, a: string, b: string, axis: number): void {
  for (let other = 0; other < links.dims(a).length; other++)
    if (other !== axis) links.linkAxes(a, other, b, other);
}

/** A channel of the image of many pixels is block x block channels of the other: W. Shi et al., "Real-time ...", 2016. */
function blocks(links: Links, wide: string, deep: string): void {
  links.linkAxes(wide, 0, deep, 0);
  const [, channels = 1] = links.dims(wide);
  const count = (links.dims(deep)[1] ?? 0) / channels;
  const mode = links.node.attributes.get('mode');
  const channelFirst = mode?.kind === 'string' && mode.value === 'CRD';
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < count; i++)
      links.link(wide, 1, c, deep, 1, channelFirst ? c * count + i : i * channels + c);
  }
  for (const value of [wide, deep]) for (const axis of [2, 3]) links.pinAxis(value, axis, 'moves pixels');
}
