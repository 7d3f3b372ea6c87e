import type { WeightMatrix } from './compile/builder.js';
import { type CompiledPlan, compile, type PlanStore } from './compile/compile.js';
import type { Graph, TensorData } from './graph/graph.js';
import type { NativeSession } from './native/addon.js';
import type { WeightFormat } from './sparse/format.js';

/** A plan that the native session holds under `id`. */
export interface LoadedPlan extends Pick<CompiledPlan, 'outputs' | 'layers'> {
  readonly id: number;
  readonly steps: readonly { readonly name: string; readonly op: string }[];
}

/** Shapes whose plans are kept; the one that was used longest ago makes room. */
const keptPlans = 16;

/** The plans of one session by input shapes, and the weights and constants that they share. */
export class SessionPlans {
  readonly #graph: Graph;
  readonly #native: NativeSession;
  readonly #plans = new Map<string, LoadedPlan>(); // oldest use first
  readonly #store: NativeStore;

  constructor(graph: Graph, native: NativeSession) {
    this.#graph = graph;
    this.#native = native;
    this.#store = new NativeStore(graph, native);
  }

  /**
   * The plan for these input dims, compiled when it is new.
   * @param inputDims dims of every input, by name
   */
  get(inputDims: ReadonlyMap<string, readonly number[]>): LoadedPlan {
    const key = this.#graph.inputs.map(({ name }) => inputDims.get(name)?.join()).join(';');
    const known = this.#plans.get(key);
    if (known !== undefined) {
      this.#plans.delete(key);
      this.#plans.set(key, known);
      return known;
    }
    const { spec, outputs, layers } = compile(this.#graph, inputDims, this.#store);
    const steps = spec.steps.map(({ name, op }) => ({ name, op }));
    const plan = { id: this.#native.createPlan(spec), steps, outputs, layers };
    this.#plans.set(key, plan);
    const [oldest] = this.#plans;
    if (this.#plans.size > keptPlans && oldest !== undefined) {
      this.#plans.delete(oldest[0]);
      this.#native.releasePlan(oldest[1].id);
    }
    return plan;
  }
}

/** Hands weights and constants of the model to the native session once, whichever plan asks first. */
class NativeStore implements PlanStore {
  readonly #native: NativeSession;
  readonly #shared: ReadonlySet<TensorData>;
  readonly #constants = new Map<TensorData, number>();
  readonly #weights = new Map<string, { readonly data: TensorData; readonly id: number }[]>();

  constructor(graph: Graph, native: NativeSession) {
    this.#native = native;
    this.#shared = new Set(graph.constants.values());
  }

  constant(data: TensorData): number | undefined {
    if (!this.#shared.has(data)) return undefined;
    const known = this.#constants.get(data);
    if (known !== undefined) return known;
    const id = this.#native.addConstant(data.bytes);
    this.#constants.set(data, id);
    return id;
  }

  /** Weights that a plan computed (a folded transpose, say) are found again by their bytes. */
  pack({ data, rows, cols, offset, rowStride, colStride }: WeightMatrix, format: WeightFormat): number {
    const key = [format, rows, cols, offset, rowStride, colStride, data.bytes.byteLength].join();
    const candidates = this.#weights.get(key) ?? [];
    const known =
      candidates.find((candidate) => candidate.data === data) ??
      (this.#shared.has(data)
        ? undefined
        : candidates.find((candidate) => Buffer.compare(candidate.data.bytes, data.bytes) === 0));
    if (known !== undefined) return known.id;
    const id = this.#native.addWeights(data.bytes, format, rows, cols, offset, rowStride, colStride);
    this.#weights.set(key, [...candidates, { data, id }]);
    return id;
  }
}
