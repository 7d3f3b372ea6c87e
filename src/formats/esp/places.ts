import { EspalierError } from '../../errors.js';
import type { WeightFormat, WeightStorage } from '../../sparse/weight_formats.js';
import type { SafetensorsHeader } from '../safetensors/index.js';
import { alignSection, type PackedLayout, sectionType, type WeightEntry } from './layout.js';

/** Bytes [offset, offset + size) of a file. */
export interface Range {
  readonly offset: number;
  readonly size: number;
}

/** A packed matrix and where its sections lie in the file: what `NativeSession.addFileWeights` takes. */
export interface PackedPlace {
  readonly format: WeightFormat;
  readonly storage: WeightStorage;
  readonly rows: number;
  readonly cols: number;
  readonly blockCols: number;
  readonly chunkRows: number;
  readonly sections: Readonly<Record<string, Range>>;
}

/**
 * Where the matrices of a weight lie; none when it is not packed.
 * @throws EspalierError ERR_ESPALIER_MODEL when the sections are not exactly the tensors that the entry names
 */
export function placesOf(
  { name, view, packed }: WeightEntry,
  header: SafetensorsHeader,
  what: string,
): readonly PackedPlace[] {
  if (packed === undefined) return [];
  const { format, storage, sections, matrices } = packed;
  const next = new Map(
    Object.entries(sections).map(([section, tensor]) => [
      section,
      findTensor(packed, section, tensor, header),
    ]),
  );
  const refuse = (reason: string) =>
    new EspalierError(
      'ERR_ESPALIER_MODEL',
      `Expected weight ${JSON.stringify(name)} of ${what} to lie in tensors of its own, got ${reason}`,
    );
  const places = matrices.map(({ rows, blockCols, chunkRows, sizes }) => {
    const own = Object.entries(sizes).map(([section, size]): [string, Range] => {
      const range = next.get(section);
      if (range === undefined) throw refuse(`none for section ${JSON.stringify(section)}`);
      const { offset } = range;
      range.offset += alignSection(size);
      return [section, { offset, size }];
    });
    return {
      format,
      storage,
      rows,
      cols: view.inputs,
      blockCols,
      chunkRows,
      sections: Object.fromEntries(own),
    };
  });
  for (const [section, { offset, end }] of next) {
    if (offset !== end) throw refuse(`another size for section ${JSON.stringify(section)}`);
  }
  return places;
}

function findTensor(
  { format, storage }: PackedLayout,
  section: string,
  tensor: string,
  { entries, dataStart }: SafetensorsHeader,
): { offset: number; readonly end: number } {
  const entry = entries.get(tensor);
  const type = sectionType(format, storage, section);
  if (entry === undefined || type === undefined || entry.type !== type || entry.dims.length !== 1) {
    throw new EspalierError(
      'ERR_ESPALIER_MODEL',
      `Expected tensor ${JSON.stringify(tensor)} to be section ${JSON.stringify(section)} of ${format} weights, ` +
        `got ${entry === undefined ? 'none' : `${entry.type} [${entry.dims.join(', ')}]`}`,
    );
  }
  return { offset: dataStart + entry.begin, end: dataStart + entry.end };
}
