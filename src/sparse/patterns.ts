import { EspalierError } from '../errors.js';

/**
 * The shapes of sparsity espalier knows. In an r x 1 pattern the unit is a block: r consecutive outputs of one group
 * that share one input. Blocks start at output 0 of each group, so the last block of a group may have fewer rows.
 */
export const patterns = ['unstructured', '16x1', '8x1', '4x1'] as const;

export type Pattern = (typeof patterns)[number];

/** A pattern of blocks, widest first. */
export const blockPatterns = ['16x1', '8x1', '4x1'] as const satisfies readonly Pattern[];

export type BlockPattern = (typeof blockPatterns)[number];

const rowsOf: { readonly [P in Pattern]: number } = { unstructured: 1, '16x1': 16, '8x1': 8, '4x1': 4 };

/** Rows of one unit: 1 for unstructured, r for r x 1. */
export function blockRows(pattern: Pattern): number {
  return rowsOf[pattern];
}

/**
 * Reads a pattern as people write it: case and blanks do not matter, and `×` stands for `x`.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT for anything that is not a pattern.
 */
export function parsePattern(text: string): Pattern {
  const wanted = text.toLowerCase().replaceAll('×', 'x').replace(/\s/g, '');
  const found = patterns.find((pattern) => pattern === wanted);
  if (found === undefined) {
    throw new EspalierError(
      'ERR_ESPALIER_ARGUMENT',
      `Expected a pattern of ${patterns.join(', ')}, got ${JSON.stringify(text)}`,
    );
  }
  return found;
}

/** A pattern in words: `unstructured`, `16x1 blocks`. */
export function printPattern(pattern: Pattern): string {
  return pattern === 'unstructured' ? pattern : `${pattern} blocks`;
}
