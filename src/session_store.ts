import type { LayerRequest, WeightMatrix, WeightPacking } from './compile/builder.js';
import type { PlanStore } from './compile/compile.js';
import type { StoredModel } from './esp/stored_model.js';
import { byteCount } from './graph/data.js';
import type { Graph, TensorData } from './graph/graph.js';
import { allGraphs } from './graph/inner_graphs.js';
import { type Layer, layerWeights } from './graph/layers.js';
import type { NativeSession } from './native/addon.js';
import type { LayerAnalysis } from './sparse/analyze.js';
import { type ChoiceContext, chooseFormat, type FormatChoice } from './sparse/format.js';
import type { WeightStorage } from './sparse/weight_formats.js';
import type { Tuner } from './tune/tuner.js';

/** How a session wants its weights. */
export interface StoreSettings {
  readonly isa: string;
  readonly storage: WeightStorage;
  /** undefined: formats by the cost model alone. */
  readonly tuner: Tuner | undefined;
  /** The compiled model that the graph comes from, whose file the native session uses. */
  readonly stored?: StoredModel | undefined;
}

/** What the choice of a layer's format depends on, beside its weights. */
type LayerContext = Pick<LayerRequest, 'n' | 'batch'> & Pick<ChoiceContext, 'taps' | 'winogradTiles'>;

/** Hands weights and constants of the model to the native session once, whichever plan asks first. */
export class SessionStore implements PlanStore {
  readonly #native: NativeSession;
  readonly #settings: StoreSettings;
  readonly #modelWeights: number;
  #shared: ReadonlySet<TensorData>;
  readonly #constants = new Map<TensorData, number>();
  readonly #weights = new Map<string, { readonly data: TensorData; readonly id: number }[]>();

  constructor(graph: Graph, native: NativeSession, settings: StoreSettings) {
    this.#native = native;
    this.#settings = settings;
    const graphs = [...allGraphs(graph)];
    this.#shared = new Set(graphs.flatMap(({ constants }) => [...constants.values()]));
    this.#modelWeights = graphs.reduce((sum, one) => sum + layerWeights(one), 0);
  }

  constant(data: TensorData): number | undefined {
    if (!this.#shared.has(data)) return undefined;
    const known = this.#constants.get(data);
    if (known !== undefined) return known;
    const place = this.#settings.stored?.placeOf(data);
    const id =
      place === undefined
        ? this.#native.addConstant(data.bytes)
        : this.#native.addFileConstant(place.offset, place.size);
    this.#constants.set(data, id);
    return id;
  }

  analysisOf(layer: Layer, data: TensorData): LayerAnalysis | undefined {
    return this.#settings.stored?.analysisOf(layer, data);
  }

  /** The format of a layer: it depends on the number of tokens, so two plans may pack one weight in two formats. */
  choose(request: LayerRequest): FormatChoice {
    const { taps, winogradTiles } = request.step;
    const context = this.contextOf({ ...request, taps, winogradTiles });
    const { tuner, stored } = this.#settings;
    if (tuner !== undefined) return tuner.choose(request, context);
    const choice = chooseFormat(request.analysis, context);
    return stored?.prefer(choice, request, context) ?? choice;
  }

  contextOf({ n, batch, taps, winogradTiles }: LayerContext): ChoiceContext {
    const { isa, storage } = this.#settings;
    return {
      n,
      batch,
      isa,
      storage,
      taps,
      winogradTiles,
      modelWeights: this.#modelWeights,
    };
  }

  /** Weights that a plan computed (a folded transpose, say) are found again by their bytes. */
  pack(matrix: WeightMatrix, { format, storage, winograd = false }: WeightPacking): number {
    const { data, rows, cols, offset, rowStride, colStride } = matrix;
    const view = [rows, cols, offset, rowStride, colStride] as const;
    const key = [format, storage, winograd, ...view, byteCount(data.type, data.dims)].join();
    const candidates = this.#weights.get(key) ?? [];
    const known =
      candidates.find((candidate) => candidate.data === data) ??
      (this.#shared.has(data)
        ? undefined
        : candidates.find((candidate) => Buffer.compare(candidate.data.bytes, data.bytes) === 0));
    if (known !== undefined) return known.id;
    const stored = winograd ? undefined : this.#settings.stored?.find(matrix);
    let id: number;
    if (winograd) id = this.#native.addWinogradWeights(data.bytes, format, storage, ...view);
    else if (stored?.format === format && stored.storage === storage)
      id = this.#native.addFileWeights(stored);
    else id = this.#native.addWeights(data.bytes, format, storage, ...view);
    this.#weights.set(key, [...candidates, { data, id }]);
    return id;
  }

  /** Lets go of the model's constants, when no plan will ask for them again. */
  forgetWeights(): void {
    this.#shared = new Set();
    this.#constants.clear();
    this.#weights.clear();
  }

  packedBytes(ids: readonly number[]): number {
    return ids.reduce((sum, id) => sum + this.#native.weightsInfo(id).bytes, 0);
  }
}
