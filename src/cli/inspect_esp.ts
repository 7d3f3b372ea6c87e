import type { CompiledReport } from '../evaluate/inspect_esp.js';
import { bytes, dims, table } from '../text.js';

/** The lines of `espalier inspect` about the file itself. */
export function describeCompiled(compiled: CompiledReport): string[] {
  const { version, fileBytes, by, isa, storage, shapes, tokens, history, verified } = compiled;
  const target =
    shapes === undefined
      ? `${tokens} tokens`
      : Object.entries(shapes)
          .map(([name, shape]) => `${name} ${dims(shape)}`)
          .join(', ');
  return [
    `compiled    version ${version} by ${by}, ${bytes(fileBytes)}${verified ? ', hashes verified' : ''}`,
    `for         ${isa}, ${target}, ${storage}`,
    ...describeHistory(history),
  ];
}

/** A line for each thing that was done to a model. */
export function describeHistory(history: unknown): string[] {
  return (Array.isArray(history) ? history : []).map(
    (entry, i) => `${i === 0 ? 'history' : '       '}     ${JSON.stringify(entry)}`,
  );
}

/** How the weights lie in the file. */
export function packedTable({ packed }: CompiledReport): string {
  const rows = Object.entries(packed).map(([name, { format, storage, bytes: own }]) => [
    name,
    format,
    storage,
    bytes(own),
  ]);
  return rows.length === 0
    ? 'no packed weights'
    : table(['weight', 'format', 'storage', 'bytes'], rows, ['bytes']);
}
