import { type CompiledPlan, compile } from './compile/compile.js';
import { explainLayer, type LayerExplanation } from './explain.js';
import type { Graph } from './graph/graph.js';
import type { NativeSession } from './native/addon.js';
import { SessionStore, type StoreSettings } from './session_store.js';

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
  readonly #store: SessionStore;

  constructor(graph: Graph, native: NativeSession, settings: StoreSettings) {
    this.#graph = graph;
    this.#native = native;
    this.#store = new SessionStore(graph, native, settings);
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

  /** How each layer of a plan runs. */
  explain({ layers }: LoadedPlan): LayerExplanation[] {
    return layers.map((layer) =>
      explainLayer(layer, this.#store.contextOf(layer), this.#store.packedBytes(layer.weights)),
    );
  }
}
