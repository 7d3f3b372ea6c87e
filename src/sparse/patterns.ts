import { EspalierError } from '../errors.js';

/**
 * The shapes of sparsity espalier knows.
 * - `unstructured`: single weights.
 * - `RxC`: blocks of R consecutive outputs by C consecutive inputs of one group. Blocks start at output 0 and input 0
 *   of each group, so the last ones may be smaller.
 * - `N:M`: of every M consecutive inputs of an output, N are kept; fewer than M at the end keep N too.
 */
export type Pattern = 'unstructured' | `${number}x${number}` | `${number}:${number}`;

/** Patterns that block formats hold as they are, widest first. */
export const blockPatterns = ['16x1', '8x1', '4x1'] as const satisfies readonly Pattern[];

export type BlockPattern = (typeof blockPatterns)[number];

/** Rows and columns of a block, at most. */
const largestBlock = 64;
/** M of N:M, at most: one window of the format for a single token. */
const largestGroup = 32;

/** What a pattern may be, for messages. */
export const patternForms =
  `unstructured, RxC (blocks of 1 to ${largestBlock} outputs by 1 to ${largestBlock} inputs, such as 16x1) ` +
  `or N:M (N kept of every M inputs, M at most ${largestGroup}, such as 2:4)`;

/** The unit that a pattern removes: r x c weights; a single weight for unstructured and N:M. */
export function blockOf(pattern: Pattern): { readonly rows: number; readonly columns: number } {
  const [rows, columns] = numbersOf(pattern, 'x') ?? [1, 1];
  return { rows, columns };
}

/** N and M of an N:M pattern, undefined for others. */
export function keptOfEvery(pattern: Pattern): { readonly kept: number; readonly of: number } | undefined {
  const numbers = numbersOf(pattern, ':');
  return numbers === undefined ? undefined : { kept: numbers[0], of: numbers[1] };
}

/** Whether the text is a pattern in its plain form: `16x1`, not `16 X 1` or `016x1`. */
export function isPattern(text: unknown): text is Pattern {
  return typeof text === 'string' && canonical(text) === text;
}

/**
 * Reads a pattern as people write it: case and blanks do not matter, `×` stands for `x`, and 1x1 is unstructured.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT for anything that is not a pattern.
 */
export function parsePattern(text: string): Pattern {
  const found = canonical(text.toLowerCase().replaceAll('×', 'x').replace(/\s/g, ''));
  if (found !== undefined) return found;
  throw new EspalierError(
    'ERR_ESPALIER_ARGUMENT',
    `Expected a pattern, ${patternForms}, got ${JSON.stringify(text)}`,
  );
}

/** A pattern in words: `unstructured`, `16x1 blocks`, `2 of every 4 inputs`. */
export function printPattern(pattern: Pattern): string {
  const group = keptOfEvery(pattern);
  if (group !== undefined) return `${group.kept} of every ${group.of} inputs`;
  return pattern === 'unstructured' ? pattern : `${pattern} blocks`;
}

function canonical(text: string): Pattern | undefined {
  if (text === 'unstructured') return text;
  const [rows, columns] = numbersOf(text, 'x') ?? [0, 0];
  if (rows >= 1 && rows <= largestBlock && columns >= 1 && columns <= largestBlock)
    return rows * columns === 1 ? 'unstructured' : `${rows}x${columns}`;
  const [kept, of] = numbersOf(text, ':') ?? [0, 0];
  return kept >= 1 && kept < of && of <= largestGroup ? `${kept}:${of}` : undefined;
}

function numbersOf(text: string, separator: string): [number, number] | undefined {
  const parts = text.split(separator);
  return parts.length === 2 && parts.every((part) => /^\d{1,3}$/.test(part))
    ? [Number(parts[0]), Number(parts[1])]
    : undefined;
}
