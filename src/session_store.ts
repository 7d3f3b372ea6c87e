import type { LayerRequest, WeightMatrix, WeightPacking } from './compile/builder.js';
import type { PlanStore } from './compile/compile.js';
import type { Graph, TensorData } from './graph/graph.js';
import { allGraphs } from './graph/inner_graphs.js';
import { findLayers } from './graph/layers.js';
import type { NativeSession } from './native/addon.js';
import { type ChoiceContext, chooseFormat, type FormatChoice } from './sparse/format.js';
import type { WeightStorage } from './sparse/weight_formats.js';
import type { Tuner } from './tune/tuner.js';

/** How a session wants its weights. */
export interface StoreSettings {
  readonly isa: string;
  readonly storage: WeightStorage;
  /** undefined: formats by the cost model alone. */
  readonly tuner: Tuner | undefined;
}

/** What the choice of a layer's format depends on, beside its weights. */
type LayerContext = Pick<LayerRequest, 'n' | 'batch'> & Pick<ChoiceContext, 'winogradTiles'>;

/** Hands weights and constants of the model to the native session once, whichever plan asks first. */
export class SessionStore implements PlanStore {
  readonly #native: NativeSession;
  readonly #settings: StoreSettings;
  readonly #modelWeights: number;
  readonly #shared: ReadonlySet<TensorData>;
  readonly #constants = new Map<TensorData, number>();
  readonly #weights = new Map<string, { readonly data: TensorData; readonly id: number }[]>();

  constructor(graph: Graph, native: NativeSession, settings: StoreSettings) {
    this.#native = native;
    this.#settings = settings;
    const graphs = [...allGraphs(graph)];
    this.#shared = new Set(graphs.flatMap(({ constants }) => [...constants.values()]));
    this.#modelWeights = graphs
      .flatMap(findLayers)
      .reduce((sum, { groups, outputs, inputs }) => sum + groups * outputs * inputs, 0);
  }

  constant(data: TensorData): number | undefined {
    if (!this.#shared.has(data)) return undefined;
    const known = this.#constants.get(data);
    if (known !== undefined) return known;
    const id = this.#native.addConstant(data.bytes);
    this.#constants.set(data, id);
    return id;
  }

  /** The format of a layer: it depends on the number of tokens, so two plans may pack one weight in two formats. */
  choose(request: LayerRequest): FormatChoice {
    const context = this.contextOf({ ...request, winogradTiles: request.step.winogradTiles });
    const { tuner } = this.#settings;
    return tuner?.choose(request, context) ?? chooseFormat(request.analysis, context);
  }

  contextOf({ n, batch, winogradTiles }: LayerContext): ChoiceContext {
    const { isa, storage } = this.#settings;
    return {
      n,
      batch,
      isa,
      storage,
      winogradTiles,
      modelWeights: this.#modelWeights,
    };
  }

  /** Weights that a plan computed (a folded transpose, say) are found again by their bytes. */
  pack(matrix: WeightMatrix, { format, storage, winograd = false }: WeightPacking): number {
    const { data, rows, cols, offset, rowStride, colStride } = matrix;
    const view = [rows, cols, offset, rowStride, colStride] as const;
    const key = [format, storage, winograd, ...view, data.bytes.byteLength].join();
    const candidates = this.#weights.get(key) ?? [];
    const known =
      candidates.find((candidate) => candidate.data === data) ??
      (this.#shared.has(data)
        ? undefined
        : candidates.find((candidate) => Buffer.compare(candidate.data.bytes, data.bytes) === 0));
    if (known !== undefined) return known.id;
    const id = winograd
      ? this.#native.addWinogradWeights(data.bytes, format, storage, ...view)
      : this.#native.addWeights(data.bytes, format, storage, ...view);
    this.#weights.set(key, [...candidates, { data, id }]);
    return id;
  }

  packedBytes(ids: readonly number[]): number {
    return ids.reduce((sum, id) => sum + this.#native.weightsInfo(id).bytes, 0);
  }
}
