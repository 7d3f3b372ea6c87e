import * as v from 'valibot';
import { EspalierError } from '../../errors.js';
import type { Graph } from '../../graph/graph.js';
import { parseOptions } from '../../options.js';
import { type Analysis, analyze } from './analyze.js';
import { groupsOf, isRemovable, type StructuredGroup } from './groups.js';
import { shapesSchema } from './options.js';
import type { StructuredPlan } from './plan.js';
import { rewrite } from './rewrite.js';
import { Selection } from './selection.js';

const name = v.string('a string');
const numbers = v.array(v.number('a number'), 'an array of numbers');
const schema = v.object({
  options: v.object({ shapes: shapesSchema }),
  groups: v.array(
    v.object({ name, units: v.number('a number'), kept: numbers }),
    'an array of planned groups',
  ),
});

/**
 * The graph without what a plan removes: every weight of it is smaller, operators have the form of opset 21, inputs and
 * outputs are what they were. Dims that the model leaves open stay open.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when the plan is malformed, or not made for a graph like this one
 */
export function applyStructuredPruning(graph: Graph, plan: StructuredPlan): Graph {
  const { analysis, orders, shapes } = matchPlan(graph, plan);
  return rewrite(analysis, new Selection(analysis.dims, orders), shapes);
}

/** A plan that may come from anywhere, as choices of this graph's groups. */
export function matchPlan(graph: Graph, plan: unknown) {
  const { groups, options } = parseOptions(schema, plan, 'structured pruning plan');
  const analysis: Analysis = analyze(graph, options.shapes);
  const known = new Map(groupsOf(analysis).map((group) => [group.name, group]));
  const orders = new Map<StructuredGroup, readonly number[]>();
  for (const { name: planned, units, kept } of groups) {
    const group = known.get(planned);
    const where = `Expected group "${planned}" of the pruning plan to`;
    if (group === undefined) throw misfit(`${where} be one of the graph, got none of that name`);
    if (group.units !== units) throw misfit(`${where} have ${group.units} units, got ${units}`);
    if (!isRemovable(group)) throw misfit(`${where} be free, but ${group.blocked?.reason}`);
    if (orders.has(group)) throw misfit(`${where} be there once, got it twice`);
    const valid = kept.every(
      (unit, i) => Number.isInteger(unit) && unit >= 0 && unit < units && unit > (kept[i - 1] ?? -1),
    );
    if (!valid || kept.length === 0)
      throw misfit(`${where} keep some of ${units} units, ascending, got [${kept.slice(0, 8).join(', ')}]`);
    if (kept.length < units) orders.set(group, kept);
  }
  return { analysis, orders, shapes: options.shapes };
}

function misfit(message: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_ARGUMENT', message);
}
