import { type Command, InvalidArgumentError, Option } from 'commander';
import { EspalierError } from '../errors.js';
import { nearest } from '../options.js';
import { type Isa, isaNames } from '../session_options.js';
import { type WeightStorage, weightStorages } from '../sparse/weight_formats.js';

/** Options of every command that runs a model. */
export interface SessionArguments {
  readonly shape: readonly string[];
  readonly seed: number;
  readonly threads?: number;
  readonly isa?: Isa;
  readonly spin?: number;
  readonly tune?: boolean;
  readonly weightStorage?: WeightStorage;
}

/** Adds --shape, --seed and the options of a session. */
export function addSessionOptions(command: Command): Command {
  return command
    .option(
      '--shape <name=dims>',
      'dims of an input, such as x=1,3,48,320; repeat for more inputs',
      collect,
      [],
    )
    .option('--seed <n>', 'seed of the random inputs', wholeNumber(0), 0)
    .option('--threads <n>', 'threads of the session', wholeNumber(1))
    .addOption(
      new Option('--isa <name>', 'instruction set (default: ESPALIER_ISA, else auto)').choices(isaNames),
    )
    .option('--spin <microseconds>', 'how long helper threads stay awake after a run', wholeNumber(0))
    .option('--tune', 'measure which format of weights is fastest here, once for each kind of layer')
    .addOption(
      new Option('--weight-storage <type>', 'how weights are stored (default: float32)').choices(
        weightStorages,
      ),
    );
}

/** For options that repeat. */
export function collect(value: string, previous: readonly string[]): string[] {
  return [...previous, value];
}

/** Reads the name of a file to write. */
export function outputFile(text: string): string {
  if (text !== '' && text !== '-') return text;
  throw new InvalidArgumentError('Expected the name of a file.');
}

/** {@link outputFile}, but none that ends like files of other formats: their readers would not know what it is. */
export function outputFileNot(...endings: readonly string[]): (text: string) => string {
  return (text) => {
    const ending = endings.find((other) => text.toLowerCase().endsWith(other));
    if (ending === undefined) return outputFile(text);
    throw new InvalidArgumentError(`Expected the name of a model, and "espalier convert" for ${ending}.`);
  };
}

/** Reads a whole number that is at least `least`. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`Expected a whole number >= ${least}.`);
  };
}

/** Reads a finite number. */
export function finiteNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('Expected a number.');
}

/**
 * Splits `name=value`. Names of model inputs may hold `=` themselves: the longest known name that fits wins.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT when no known name fits.
 */
function splitAssignment(
  option: string,
  text: string,
  names: readonly string[],
): [name: string, value: string] {
  const fitting = names.filter((name) => text.startsWith(`${name}=`)).sort((a, b) => b.length - a.length);
  const [name] = fitting;
  if (name !== undefined) return [name, text.slice(name.length + 1)];
  const given = text.split('=')[0] ?? '';
  throw new EspalierError(
    'ERR_ESPALIER_ARGUMENT',
    `Expected ${option} <input>=<value>, got ${JSON.stringify(text)}; ${nearest(given, names)}`,
  );
}

/**
 * Splits options `name=value` of which every input has at most one.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT as {@link splitAssignment}, and for an input that comes twice
 */
export function splitAssignments(
  option: string,
  texts: readonly string[],
  names: readonly string[],
): Map<string, string> {
  const values = new Map<string, string>();
  for (const text of texts) {
    const [name, value] = splitAssignment(option, text, names);
    const other = values.get(name);
    if (other !== undefined) {
      const got = `${JSON.stringify(other)} and ${JSON.stringify(value)}`;
      throw new EspalierError(
        'ERR_ESPALIER_ARGUMENT',
        `Expected one ${option} for input "${name}", got ${got}`,
      );
    }
    values.set(name, value);
  }
  return values;
}

/**
 * The `--shape` options as dims by input name.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT
 */
export function readShapes(texts: readonly string[], names: readonly string[]): Map<string, number[]> {
  const shapes = new Map<string, number[]>();
  for (const [name, value] of splitAssignments('--shape', texts, names)) {
    const dims =
      value === '' ? [] : value.split(/[,x]/).map((dim) => (/^\s*\d+\s*$/.test(dim) ? Number(dim) : -1));
    if (!dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) {
      throw new EspalierError(
        'ERR_ESPALIER_ARGUMENT',
        `Expected --shape ${name}=<dims> such as ${name}=1,3,48,320, got ${JSON.stringify(value)}`,
      );
    }
    shapes.set(name, dims);
  }
  return shapes;
}
