import type { Command } from 'commander';
import { idleOptions, type Needs, refuseIdle } from '../options.js';

/** What was given on a command line, without defaults. */
export function givenOptions<Arguments extends object>(command: Command): Partial<Arguments> {
  const options = Object.entries(command.opts<Arguments>());
  const given = options.filter(([key]) => command.getOptionValueSource(key) === 'cli');
  return Object.fromEntries(given) as Partial<Arguments>;
}

/** The flag by which an option was given: `--min-sparsity` of minSparsity, `--no-refit` of refit where it is false. */
export function flagOf(command: Command, key: string): string {
  const own = command.options.filter((option) => option.attributeName() === key);
  const isNo = command.getOptionValue(key) === false;
  return (own.find(({ negate }) => negate === isNo) ?? own[0])?.long ?? key;
}

/**
 * Refuses flags that were given and do nothing.
 * @param more what `needs` looks at beside what was given
 * @throws EspalierError ERR_ESPALIER_ARGUMENT that names the flag and what it needs
 */
export function refuseIdleFlags<Asked extends object>(
  command: Command,
  needs: Needs<Asked>,
  more: Partial<Asked> = {},
): void {
  const given = givenOptions(command);
  refuseIdle(idleOptions(given, { ...given, ...more } as Asked, needs), (key) => flagOf(command, key));
}
