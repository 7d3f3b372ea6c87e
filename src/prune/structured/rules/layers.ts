import { intAttribute } from '../../../graph/attributes.js';
import type { Links, RuleFamily } from './rule.js';

/** Convolutions and products: the axes of their weights are where channels are added up and where they begin. */
export const layers: RuleFamily = {
  Conv: (links) => {
    const { x, weight, bias, y, groups } = operands(links);
    const perGroup = links.dims(weight)[1] ?? 1;
    const outputs = links.dims(weight)[0] ?? 1;
    if (groups > 1 && perGroup === 1) {
      // Depthwise: a group is one channel, and goes with all its outputs.
      for (let o = 0; o < outputs; o++) links.link(x, 1, Math.floor((o * groups) / outputs), weight, 0, o);
    } else {
      // Every group keeps as many channels as the others: the same of each.
      for (let c = 0; c < perGroup * groups; c++) links.link(x, 1, c, weight, 1, c % perGroup);
      const each = outputs / groups;
      if (groups > 1) for (let o = each; o < outputs; o++) links.link(weight, 0, o, weight, 0, o % each);
    }
    links.linkAxes(y, 1, weight, 0);
    links.linkAxes(bias, 0, y, 1);
    pinWindow(links, x, weight, y);
  },
  ConvTranspose: (links) => {
    const { x, weight, bias, y, groups } = operands(links);
    const [inputs = 1, perGroup = 1] = links.dims(weight);
    links.linkAxes(x, 1, weight, 0);
    if (groups > 1 && groups === inputs) {
      for (let o = 0; o < perGroup * groups; o++) links.link(x, 1, Math.floor(o / perGroup), y, 1, o);
      links.pinAxis(weight, 1, 'has as many outputs for each channel');
    } else {
      for (let o = 0; o < perGroup * groups; o++) links.link(y, 1, o, weight, 1, o % perGroup);
      const each = inputs / groups;
      if (groups > 1) for (let c = each; c < inputs; c++) links.link(weight, 0, c, weight, 0, c % each);
    }
    links.linkAxes(bias, 0, y, 1);
    pinWindow(links, x, weight, y);
  },
  Gemm: (links) => {
    const [a, b] = [links.input(0), links.input(1)];
    const left = intAttribute(links.node, 'transA', 0) === 0 ? 0 : 1;
    const right = intAttribute(links.node, 'transB', 0) === 0 ? 0 : 1;
    links.linkAxes(a, left, links.output, 0);
    links.linkAxes(a, 1 - left, b, right);
    links.linkAxes(b, 1 - right, links.output, 1);
    links.linkBroadcast(links.input(2), links.output);
  },
  MatMul: (links) => {
    const [a = '', b = ''] = links.node.inputs;
    const y = links.output;
    const [rankA, rankB, rank] = [a, b, y].map((value) => links.dims(value).length) as [
      number,
      number,
      number,
    ];
    if (rankA < 2 || rankB < 2) {
      links.refuse('multiplies a vector');
      return;
    }
    links.linkAxes(a, rankA - 2, y, rank - 2);
    links.linkAxes(a, rankA - 1, b, rankB - 2);
    links.linkAxes(b, rankB - 1, y, rank - 1);
    for (let axis = 0; axis < rank - 2; axis++) {
      links.linkAxes(a, axis - rank + rankA, y, axis);
      links.linkAxes(b, axis - rank + rankB, y, axis);
      if (links.isConstant(a) || links.isConstant(b)) continue;
      // Two activations multiplied batch by batch: attention, one batch for each head.
      const size = links.dims(y)[axis] ?? 1;
      for (let i = 0; i < size; i++) links.positions.markHead(links.positions.at(y, axis, i));
    }
  },
};

function operands(links: Links) {
  const [x = '', weight = ''] = links.node.inputs;
  links.linkAxes(x, 0, links.output, 0);
  return { x, weight, bias: links.input(2), y: links.output, groups: intAttribute(links.node, 'group', 1) };
}

function pinWindow(links: Links, ...values: readonly string[]): void {
  for (const value of values)
    for (let axis = 2; axis < links.dims(value).length; axis++) links.pinAxis(value, axis, 'slides along it');
}
