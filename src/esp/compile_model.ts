import * as v from 'valibot';
import { foldAffine } from '../compile/fold_affine.js';
import { countUses } from '../compile/uses.js';
import { type EspBytes, encodeEsp, type WeightContent } from '../formats/esp/index.js';
import { alignSection } from '../formats/esp/layout.js';
import { byteCount } from '../graph/data.js';
import type { Graph, TensorData } from '../graph/graph.js';
import { historyOf } from '../graph/history.js';
import type { Layer } from '../graph/layers.js';
import { checkInputs } from '../graph/static_inputs.js';
import { assertSupported } from '../graph/supported.js';
import { loadAddon, type PackedWeights } from '../native/addon.js';
import { optionsObject, parseOptions, progressCallback, recordOf } from '../options.js';
import { type Isa, isaNames } from '../session_options.js';
import { countsOf } from '../sparse/counts.js';
import {
  storageIn,
  type WeightFormat,
  type WeightStorage,
  weightStorages,
} from '../sparse/weight_formats.js';
import { packageVersion } from '../version.js';
import { type ChosenLayer, chooseFormats, type Target } from './choose.js';
import { foldWeights } from './fold_weights.js';

export interface CompileOptions {
  /** Dims of the inputs that most runs will have, by name; those that the model states need not be given. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  /** Instead of shapes: tokens (rows of a product, output pixels of a convolution) that share a pass over the weights. */
  readonly tokens?: number;
  /** The instruction set that most runs will use; the file runs on all. Default: the fastest of this machine. */
  readonly isa?: Isa;
  /** How weights are stored; see `SessionOptions.weightStorage`. Default: float32. */
  readonly weightStorage?: WeightStorage;
  /**
   * `size`: formats that are about as small as can be; a session packs a weight again when another format is clearly
   * faster for it. `speed`: the fastest formats, whatever they take. Default: size.
   */
  readonly prefer?: 'size' | 'speed';
  /** Called while weights are packed, with the share that is done, in [0, 1]. */
  readonly onProgress?: (share: number) => void;
}

/** How a layer's weight lies in the file. */
export interface CompiledWeight {
  /** The constant of the model. */
  readonly name: string;
  /** The first layer that uses it. */
  readonly layer: string;
  readonly sparsity: number;
  /** undefined: as the model states it, because no format is smaller. */
  readonly format: WeightFormat | undefined;
  readonly storage: WeightStorage;
  readonly bytes: number;
  readonly denseBytes: number;
}

/** A compiled model: its file is `parts`, one behind the other. */
export interface CompiledModel extends EspBytes {
  readonly weights: readonly CompiledWeight[];
}

const whole = v.pipe(v.number('a number'), v.safeInteger('an integer'), v.minValue(0, 'at least 0'));
const schema = optionsObject({
  shapes: v.optional(recordOf(v.array(whole, 'a list of dims'), 'dims by input name')),
  tokens: v.optional(v.pipe(whole, v.minValue(1, 'at least 1'))),
  isa: v.optional(v.picklist(isaNames, `one of ${isaNames.join(', ')}`)),
  weightStorage: v.optional(v.picklist(weightStorages, `one of ${weightStorages.join(', ')}`)),
  prefer: v.optional(v.picklist(['size', 'speed'], 'size or speed'), 'size'),
  onProgress: v.optional(progressCallback),
});

/**
 * Compiles a model to a file that `InferenceSession.create` opens without reading its weights: they lie in it as the
 * kernels read them, packed in the formats that a session would choose for the given shapes. Sessions for other shapes
 * and instruction sets run it too. docs/esp.md describes the file.
 * @throws EspalierError ERR_ESPALIER_ARGUMENT for wrong options, ERR_ESPALIER_UNSUPPORTED for what espalier does not
 *   run, ERR_ESPALIER_INPUT or _SHAPE for shapes that are missing or do not fit, ERR_ESPALIER_NATIVE without the addon
 */
export function compileModel(graph: Graph, options: CompileOptions = {}): CompiledModel {
  const {
    tokens,
    isa: wanted = 'auto',
    weightStorage = 'float32',
    prefer,
    onProgress,
    ...given
  } = parseOptions(schema, options, 'compileModel options');
  assertSupported(graph);
  const isa = wanted === 'auto' ? (loadAddon().availableIsas().at(-1) ?? 'scalar') : wanted;
  const target = targetOf(graph, given.shapes ?? {}, tokens);
  const folded = foldWeights(foldAffine(graph));
  const layers = distinctWeights(
    folded,
    chooseFormats(folded, target, { isa, storage: weightStorage, prefer }),
  );
  const packed = layers.map((chosen, i) => {
    const packedLayer = packWeight(folded, chosen);
    onProgress?.((i + 1) / layers.length);
    return packedLayer;
  });
  const compiledFor = {
    by: `espalier ${packageVersion()}`,
    isa,
    storage: weightStorage,
    ...('tokens' in target ? { tokens: target.tokens } : { shapes: Object.fromEntries(target.shapes) }),
  };
  const file = encodeEsp({
    graph: folded,
    weights: packed.map(({ content }) => content),
    compiledFor,
    history: historyOf(graph),
  });
  return { ...file, weights: packed.map(({ report }) => report) };
}

function targetOf(
  graph: Graph,
  shapes: Readonly<Record<string, readonly number[]>>,
  tokens: number | undefined,
): Target {
  if (tokens !== undefined) return { tokens };
  const inputs = checkInputs(graph, new Map(Object.entries(shapes)));
  return { shapes: new Map(inputs.map(({ name, dims }) => [name, dims])) };
}

/** Layers whose weight nothing reads but layers that see the same matrices in it; one for each weight. */
function distinctWeights(graph: Graph, layers: readonly ChosenLayer[]): ChosenLayer[] {
  const uses = countUses(graph);
  const byWeight = new Map<string, ChosenLayer[]>();
  for (const chosen of layers) {
    const { weight } = chosen.layer;
    byWeight.set(weight, [...(byWeight.get(weight) ?? []), chosen]);
  }
  return [...byWeight].flatMap(([weight, users]) => {
    const [first] = users as [ChosenLayer];
    const same = users.every(({ layer }) => viewOf(layer) === viewOf(first.layer));
    return same && users.length === uses.get(weight) ? [first] : [];
  });
}

function viewOf({ op, groups, outputs, inputs, outputStride, inputStride }: Layer): string {
  return [op, groups, outputs, inputs, outputStride, inputStride].join();
}

function packWeight(
  graph: Graph,
  { layer, analysis, choice, matrices }: ChosenLayer,
): { content: WeightContent; report: CompiledWeight } {
  const { name, op, weight, groups, outputs, inputs, outputStride, inputStride } = layer;
  const data = graph.constants.get(weight) as TensorData;
  const denseBytes = byteCount(data.type, data.dims);
  const storage = storageIn(choice.format, choice.storage);
  const packed = matrices.map((matrix) => {
    const { rows, cols, offset, rowStride, colStride } = matrix;
    const view = [rows, cols, offset, rowStride, colStride] as const;
    const whole = loadAddon().packWeights(data.bytes, choice.format, storage, ...view);
    return storage === 'float16' ? withGaps(whole) : whole;
  });
  const packedBytes = packed.reduce((sum, matrix) => sum + bytesOf(matrix), 0);
  const isSmaller = packedBytes <= denseBytes;
  const view = { op, groups, outputs, inputs, transposed: outputStride !== inputs || inputStride !== 1 };
  return {
    content: { name: weight, view, counts: countsOf(analysis), matrices: isSmaller ? packed : [] },
    report: {
      name: weight,
      layer: name,
      sparsity: analysis.sparsity,
      format: isSmaller ? choice.format : undefined,
      storage: isSmaller ? storage : 'float32',
      bytes: isSmaller ? packedBytes : denseBytes,
      denseBytes,
    },
  };
}

/**
 * With columns in their shorter form: of halves they are a third, and of whole floats so little that opening a file
 * quickly matters more.
 */
function withGaps(packed: PackedWeights): PackedWeights {
  const { columns, ...others } = packed.sections;
  if (columns === undefined || packed.format === 'csr' || packed.format === 'ell') return packed;
  return { ...packed, sections: { ...others, gaps: loadAddon().columnGaps(packed) } };
}

function bytesOf({ sections }: PackedWeights): number {
  return Object.values(sections).reduce((sum, { length }) => sum + alignSection(length), 0);
}
