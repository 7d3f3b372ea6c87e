import { rename, writeFile } from 'node:fs/promises';
import { tolerance } from './compare.mjs';

/**
 * What a bench of many rows leaves behind.
 * @template R
 * @typedef {object} Results
 * @property {string} bench
 * @property {boolean} complete false when the run was cut short
 * @property {{ rounds: number, milliseconds: number, isa?: string | undefined }} settings
 * @property {number} tolerance
 * @property {ReturnType<typeof import('./machine.mjs').describeMachine>} machine
 * @property {readonly R[]} rows
 */

/**
 * Writes results, a row a line, so that a change of one cell is a change of one line. The file is replaced as a whole.
 * @template R
 * @param {string} path
 * @param {Omit<Results<R>, 'tolerance'>} results
 */
export async function writeResults(path, { rows, ...rest }) {
  const head = JSON.stringify({ ...rest, tolerance }, roundNumbers, 2).slice(0, -2);
  const lines = rows.map((row) => `    ${JSON.stringify(row, roundNumbers)}`);
  await writeFile(`${path}.new`, `${head},\n  "rows": [\n${lines.join(',\n')}\n  ]\n}\n`);
  await rename(`${path}.new`, path);
}

/** Five digits are more than a clock is worth. @param {string} _ @param {unknown} value */
const roundNumbers = (_, value) =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
