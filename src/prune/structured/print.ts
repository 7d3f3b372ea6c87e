import { percent, shortCount, table } from '../../text.js';
import type { StructuredGroup } from './groups.js';
import type { StructuredPlan } from './plan.js';
import type { BlockPlan } from './plan_blocks.js';

/** Groups as text for people: a line for each, those that cannot be pruned with the reason. */
export function formatGroups(groups: readonly StructuredGroup[]): string {
  const rows = groups.map(({ name, kind, units, members, blocked }) => {
    const list = (role: 'output' | 'input') => {
      const nodes = members.filter((member) => member.role === role).flatMap((member) => member.nodes);
      return shortList([...new Set(nodes)]);
    };
    return [
      name,
      kind,
      String(units),
      list('output'),
      list('input'),
      blocked === undefined ? 'yes' : `${kind === 'embedding' ? 'by kind' : 'no'}: ${blocked.reason}`,
    ];
  });
  return table(['group', 'kind', 'units', 'given by', 'taken by', 'prunable'], rows, ['units']);
}

/** A plan as text for people: a line for each group, and what the network costs before and after. */
export function formatStructuredPlan({ groups, before, after }: StructuredPlan): string {
  const rows = groups.map(({ name, kind, units, kept }) => [
    name,
    kind,
    String(units),
    String(kept.length),
    percent(1 - kept.length / units),
  ]);
  const header = ['group', 'kind', 'units', 'kept', 'removed'];
  const costs = (['parameters', 'multiplyAdds'] as const).map((measure) => {
    const title = measure === 'parameters' ? 'parameters' : 'multiply-adds';
    const removed = percent(1 - after[measure] / before[measure]);
    return `${title.padEnd(14)}${shortCount(before[measure])} -> ${shortCount(after[measure])} (-${removed})`;
  });
  return [table(header, rows, ['units', 'kept', 'removed']), '', ...costs].join('\n');
}

/** A plan of blocks as text for people. */
export function formatBlockPlan({ blocks, parameters: { before, after } }: BlockPlan): string {
  const rows = blocks.map(({ name, parameters, score, removed }) => [
    name,
    shortCount(parameters),
    score.toPrecision(3),
    removed ? 'yes' : 'no',
  ]);
  const header = ['block', 'parameters', 'score', 'removed'];
  const total = `parameters ${shortCount(before)} -> ${shortCount(after)} (-${percent(1 - after / before)})`;
  return [table(header, rows, ['parameters', 'score']), '', total].join('\n');
}

function shortList(names: readonly string[]): string {
  return names.length > 3 ? `${names.slice(0, 2).join(', ')} and ${names.length - 2} more` : names.join(', ');
}
