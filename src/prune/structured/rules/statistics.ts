import { intAttribute } from '../../../graph/attributes.js';
import type { Links, Rule, RuleFamily } from './rule.js';

const statistics = 'takes statistics over it, which would change';
const corrected = 'takes statistics over it, which pruning by kind embedding corrects';

/** Pools slide over all axes but the first two. */
const pool: Rule = (links) => {
  const x = links.input(0);
  for (const axis of [0, 1]) links.linkAxes(x, axis, links.output, axis);
  for (const value of [x, ...links.node.outputs])
    for (let axis = 2; axis < links.dims(value).length; axis++) links.pinAxis(value, axis, 'slides along it');
};

const softmax: Rule = (links) => {
  const rank = links.dims(links.output).length;
  links.linkBroadcast(links.input(0), links.output);
  links.pinAxis(links.output, axisOf(links, -1, rank), statistics, true);
};

/** The axes are the second input, or all. */
const reduce: Rule = (links) => {
  const x = links.input(0) ?? '';
  const rank = links.dims(x).length;
  const given = links.numbers(1) ?? [];
  if (links.input(1) !== undefined && links.numbers(1) === undefined)
    return links.refuse('has axes that are computed');
  const none = given.length === 0 && intAttribute(links.node, 'noop_with_empty_axes', 0) === 1;
  const axes = new Set(
    given.length > 0
      ? given.map((axis) => (axis < 0 ? axis + rank : axis))
      : none
        ? []
        : Array.from({ length: rank }, (_, i) => i),
  );
  const keeps = intAttribute(links.node, 'keepdims', 1) === 1;
  let target = 0;
  for (let axis = 0; axis < rank; axis++) {
    if (axes.has(axis)) {
      // The mean of squares: channels that are gone would be zeros in it. Any other would see them as something else.
      const narrows = links.node.op === 'ReduceMean' && axes.size === 1 && links.isSquare(x);
      links.pinAxis(x, axis, narrows ? corrected : statistics, true, narrows);
    } else links.linkAxes(x, axis, links.output, target);
    if (keeps || !axes.has(axis)) target++;
  }
};

/** Operators that look at several elements of an axis at once. */
export const statisticsRules: RuleFamily = {
  BatchNormalization: (links) => {
    links.linkBroadcast(links.input(0), links.output);
    for (let i = 1; i < 5; i++) links.linkAxes(links.input(i), 0, links.output, 1);
  },
  InstanceNormalization: (links) => {
    links.linkBroadcast(links.input(0), links.output);
    for (const i of [1, 2]) links.linkAxes(links.input(i), 0, links.output, 1);
    for (let axis = 2; axis < links.dims(links.output).length; axis++)
      links.pinAxis(links.output, axis, statistics, true);
  },
  LayerNormalization: normalizesFrom,
  RMSNormalization: normalizesFrom,
  Softmax: softmax,
  LogSoftmax: softmax,
  AveragePool: pool,
  MaxPool: pool,
  LpPool: pool,
  GlobalAveragePool: pool,
  GlobalMaxPool: pool,
  ...Object.fromEntries(
    ['L1', 'L2', 'LogSum', 'LogSumExp', 'Max', 'Mean', 'Min', 'Prod', 'Sum', 'SumSquare'].map((name) => [
      `Reduce${name}`,
      reduce,
    ]),
  ),
};

function normalizesFrom(links: Links): void {
  const rank = links.dims(links.output).length;
  links.linkBroadcast(links.input(0), links.output);
  for (const i of [1, 2]) links.linkBroadcast(links.input(i), links.output);
  const first = axisOf(links, -1, rank);
  const stored = [1, 2].every((i) => links.input(i) === undefined || links.isConstant(links.input(i)));
  const narrows =
    first === rank - 1 && stored && links.node.outputs.filter((name) => name !== '').length === 1;
  for (let axis = first; axis < rank; axis++)
    links.pinAxis(links.output, axis, narrows ? corrected : statistics, true, narrows);
}

function axisOf({ node }: Links, fallback: number, rank: number): number {
  const axis = intAttribute(node, 'axis', fallback);
  return axis < 0 ? axis + rank : axis;
}
