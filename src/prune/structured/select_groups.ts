import { EspalierError } from '../../errors.js';
import { isRemovable, type StructuredGroup } from './groups.js';
import type { ResolvedStructuredOptions } from './options.js';

/**
 * The groups that the options select, of those that can be pruned.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when a name matches nothing, or nothing is selected: then the message says
 *   which operators block
 */
export function selectGroups(
  groups: readonly StructuredGroup[],
  { kinds, include, exclude }: ResolvedStructuredOptions,
): StructuredGroup[] {
  const named: readonly (readonly [option: string, matchers: readonly (string | RegExp)[]])[] = [
    ['include', include ?? []],
    ['exclude', exclude],
  ];
  for (const [option, matchers] of named) {
    const wrong = matchers.find((matcher) => !groups.some((group) => matches(group, matcher)));
    if (wrong !== undefined) {
      const known = groups.slice(0, 20).map(({ name }) => JSON.stringify(name));
      throw fail(
        `every entry of options.${option} to match a group, got ${wrong}; the groups are ${known.join(', ')}`,
      );
    }
  }
  const wanted = groups.filter(
    (group) =>
      kinds.includes(group.kind) &&
      (include === undefined || include.some((matcher) => matches(group, matcher))) &&
      !exclude.some((matcher) => matches(group, matcher)),
  );
  const free = wanted.filter(isRemovable);
  if (free.length > 0) return free;
  const reasons = new Set(wanted.map(({ name, blocked }) => `"${name}" (${blocked?.reason})`));
  const found =
    reasons.size === 0 ? `none of kind ${kinds.join(', ')}` : `only ${[...reasons].slice(0, 8).join(', ')}`;
  throw fail(`a group that can be pruned, got ${found}`);
}

function matches({ name, members }: StructuredGroup, matcher: string | RegExp): boolean {
  const names = [name, ...members.flatMap(({ role, nodes }) => (role === 'output' ? nodes : []))];
  return names.some((own) => (typeof matcher === 'string' ? own === matcher : own.search(matcher) >= 0));
}

function fail(expected: string): EspalierError {
  return new EspalierError('ERR_ESPALIER_ARGUMENT', `Expected planStructuredPruning ${expected}`);
}
