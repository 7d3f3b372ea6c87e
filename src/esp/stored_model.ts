import type { LayerRequest, WeightMatrix } from '../compile/builder.js';
import type { EspFile, PackedPlace, Range, StoredWeight, WeightView } from '../formats/esp/index.js';
import type { TensorData } from '../graph/graph.js';
import type { Layer } from '../graph/layers.js';
import type { LayerAnalysis } from '../sparse/analyze.js';
import { completeAnalysis } from '../sparse/counts.js';
import type { ChoiceContext, FormatChoice } from '../sparse/format.js';
import { storageFor, storageIn } from '../sparse/weight_formats.js';

/** How much slower than the best format a stored one may be predicted: packing again costs what the file saves. */
const storedMargin = 1.15;

/** Constants of fewer bytes are copied: they are no saving, and the graph's passes read them anyway. */
const leastInPlace = 2 ** 16;

/** Element types that no step uses as an address, so that they may lie where another program can write. */
const numbers: ReadonlySet<string> = new Set(['float32', 'float64', 'float16', 'bfloat16']);

/** What a session needs to know of a compiled model. */
export class StoredModel {
  readonly #file: EspFile;

  constructor(file: EspFile) {
    this.#file = file;
  }

  /** Where a constant lies that is worth using in place. */
  placeOf(data: TensorData): Range | undefined {
    const place = this.#file.places.get(data);
    return place !== undefined && place.size >= leastInPlace && numbers.has(data.type) ? place : undefined;
  }

  /** The analysis of a layer, as the file states it. */
  analysisOf(layer: Layer, data: TensorData): LayerAnalysis | undefined {
    const weight = this.#file.weights.get(data);
    if (weight === undefined || !sameView(weight.view, layer)) return undefined;
    return completeAnalysis({ ...weight.view, op: layer.op, depthwise: false }, weight.counts);
  }

  /** Where the matrix lies in the file, if it is packed there. */
  find({ data, rows, cols, offset, rowStride, colStride }: WeightMatrix): PackedPlace | undefined {
    const weight = this.#file.weights.get(data);
    if (weight?.packed === undefined) return undefined;
    const { outputs, inputs, transposed } = weight.view;
    const [expectedRow, expectedCol] = transposed ? [1, outputs] : [inputs, 1];
    if (cols !== inputs || rowStride !== expectedRow || colStride !== expectedCol) return undefined;
    let start = 0;
    for (const matrix of weight.matrices) {
      if (start === offset) return matrix.rows === rows ? matrix : undefined;
      start += matrix.rows * inputs;
    }
    return undefined;
  }

  /** The choice, or the format that the weight has in the file when that is about as fast. */
  prefer(choice: FormatChoice, { matrices }: LayerRequest, context: ChoiceContext): FormatChoice {
    const found = matrices.map((matrix) => this.find(matrix));
    const [stored] = found;
    if (stored === undefined || found.some((place) => place === undefined)) return choice;
    const { format, storage } = stored;
    if (format === choice.format || storage !== wantedStorage(this.#weightOf(matrices), context, stored))
      return choice;
    const cost = (wanted: string) =>
      choice.candidates.find((candidate) => candidate.format === wanted)?.predictedMicroseconds;
    const ratio = (cost(format) ?? Number.POSITIVE_INFINITY) / (cost(choice.format) ?? 0);
    if (!(ratio <= storedMargin)) return choice;
    const reason = `as the file has it; ${choice.format} is predicted to take ${(100 / ratio).toFixed(1)} % of the time`;
    return { ...choice, format, storage, reason };
  }

  #weightOf([matrix]: readonly WeightMatrix[]): StoredWeight | undefined {
    return matrix && this.#file.weights.get(matrix.data);
  }
}

function wantedStorage(
  weight: StoredWeight | undefined,
  { storage = 'float32' }: ChoiceContext,
  { format }: PackedPlace,
) {
  return storageIn(format, storageFor(storage, { largest: weight?.counts.largest ?? Number.NaN }));
}

/** Whether the matrices are the same; the layer may have become another operator than it was for the file's shapes. */
function sameView(view: WeightView, { groups, outputs, inputs, outputStride, inputStride }: Layer): boolean {
  const strides = view.transposed ? [1, view.outputs] : [view.inputs, 1];
  return (
    view.groups === groups &&
    view.outputs === outputs &&
    view.inputs === inputs &&
    outputStride === strides[0] &&
    inputStride === strides[1]
  );
}
