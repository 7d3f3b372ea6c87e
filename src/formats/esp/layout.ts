import type { Layer } from '../../graph/layers.js';
import type { LayerCounts } from '../../sparse/counts.js';
import type { WeightFormat, WeightStorage } from '../../sparse/weight_formats.js';
import type { DataType } from '../../tensor.js';

/** docs/esp.md is the specification of what these modules read and write. */
export const espVersion = 2;

/** Keys of the safetensors metadata. */
export const versionKey = 'espalier.version';
export const compiledKey = 'espalier.compiled';
export const historyKey = 'espalier.history';

/** Tensors that every file has: the first two, in this order, and the last. */
export const graphTensor = 'espalier.graph';
export const weightsTensor = 'espalier.weights';
export const hashTensor = 'espalier.sha256';

/** Bytes of the last tensor: a SHA-256 of all up to the end of `espalier.weights`, and one of what is between. */
export const hashBytes = 64;

/** Sections of packed weights start at multiples of this in the file, as kernels want them in memory. */
export const sectionAlignment = 64;

export function alignSection(bytes: number): number {
  return Math.ceil(bytes / sectionAlignment) * sectionAlignment;
}

/** The matrices that a layer sees in its weight: `groups` of [outputs, inputs] each. */
export interface WeightView {
  readonly op: Layer['op'];
  readonly groups: number;
  readonly outputs: number;
  readonly inputs: number;
  /** Whether the constant's bytes are [inputs, outputs]; only where there is one group. */
  readonly transposed: boolean;
}

/** One matrix, in the formats of native/formats. Sizes in bytes, by section. */
export interface PackedMatrixLayout {
  /** Consecutive outputs. */
  readonly rows: number;
  readonly blockCols: number;
  readonly chunkRows: number;
  readonly sizes: Readonly<Record<string, number>>;
}

/** How a weight is packed: its sections of one kind lie one behind the other in one tensor, each aligned. */
export interface PackedLayout {
  readonly format: WeightFormat;
  readonly storage: WeightStorage;
  /** The tensor of each section, by the section's name. */
  readonly sections: Readonly<Record<string, string>>;
  /** One for each group, or several where a step reads a group in parts: together all outputs, in their order. */
  readonly matrices: readonly PackedMatrixLayout[];
}

/** What a file says of a layer's weight, so that no session has to look at the weight itself. */
export interface WeightEntry {
  /** The constant of the graph. */
  readonly name: string;
  readonly view: WeightView;
  readonly counts: LayerCounts;
  /** undefined: the weight lies as the model states it, like any other constant. */
  readonly packed?: PackedLayout | undefined;
}

/** For what a model was compiled. */
export interface CompiledFor {
  /** `espalier 0.1.0` */
  readonly by: string;
  readonly isa: string;
  readonly storage: WeightStorage;
  /** Dims of each input, or the number of tokens, for which formats were chosen. */
  readonly shapes?: Readonly<Record<string, readonly number[]>> | undefined;
  readonly tokens?: number | undefined;
}

/** The element type of a section: kernel_types.h has the arrays of each format. */
export function sectionType(
  format: WeightFormat,
  storage: WeightStorage,
  section: string,
): DataType | undefined {
  if (section === 'values') return storage;
  return sectionTypes[format][section];
}

/** `gaps` stand in the place of `columns`; see native/formats/column_gaps.h. */
const blocks: Readonly<Record<string, DataType>> = { offsets: 'uint32', columns: 'uint16', gaps: 'uint8' };

const sectionTypes: Readonly<Record<WeightFormat, Readonly<Record<string, DataType>>>> = {
  dense: {},
  block16: blocks,
  block8: blocks,
  block4: blocks,
  csr: { offsets: 'uint32', columns: 'uint32' },
  sell: { offsets: 'uint64', columns: 'uint8', gaps: 'uint8', counts: 'uint8', order: 'uint16' },
  ell: { offsets: 'uint32', columns: 'uint8', windows: 'uint16' },
};
