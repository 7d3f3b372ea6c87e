import { type CompiledPlan, compile } from './compile/compile.js';
import { explainLayer, type LayerExplanation } from './explain.js';
import type { Graph, TensorData } from './graph/graph.js';
import { InputValuesNeeded } from './graph/input_values.js';
import { UnknownValueError } from './graph/operators/definition.js';
import type { NativeSession } from './native/addon.js';
import type { SessionStore } from './session_store.js';
import type { Tensor } from './tensor.js';

/** A plan that the native session holds under `id`. */
export interface LoadedPlan extends Pick<CompiledPlan, 'outputs' | 'layers' | 'inPlace'> {
  readonly id: number;
  readonly steps: readonly { readonly name: string; readonly op: string }[];
}

/** What a plan is made for: the dims of an input, and its values where they decide what the graph becomes. */
export type PlanInput = Pick<Tensor, 'type' | 'dims'> & Partial<Pick<Tensor, 'data'>>;

/** A plan and what it was made for, by input. */
interface Kept {
  readonly plan: LoadedPlan;
  readonly dims: readonly (readonly number[])[];
  /** undefined for inputs whose values do not decide. */
  readonly values: readonly (Tensor['data'] | undefined)[];
}

/** Plans that are kept; the one that was used longest ago makes room. */
const keptPlans = 16;
/** The same where plans are for values that a run computed: the next run will hardly compute them again. */
const keptLaterPlans = 2;

/** The plans of one session by input shapes, and the weights and constants that they share. */
export class SessionPlans {
  #graph: Graph;
  readonly #native: NativeSession;
  readonly #plans: Kept[] = []; // newest use first
  readonly #store: SessionStore;
  /** Whether shapes or conditions turned out to depend on the values of each input. */
  readonly #decides: boolean[];
  readonly #later: boolean;

  /**
   * @param computed of a later stage of a model, where any input may decide: inputs that shapes are known to depend on
   */
  constructor(
    graph: Graph,
    native: NativeSession,
    store: SessionStore,
    computed: readonly string[] | undefined = undefined,
  ) {
    this.#graph = graph;
    this.#native = native;
    this.#store = store;
    this.#decides = graph.inputs.map(({ name }) => computed?.includes(name) === true);
    this.#later = computed !== undefined;
  }

  /**
   * The plan for these inputs, compiled when it is new.
   * @param inputs one for each input of the graph, in order
   * @throws InputValuesNeeded when the plan depends on values of inputs that come without
   */
  get(inputs: readonly PlanInput[]): LoadedPlan {
    const index = this.#plans.findIndex((kept) => this.#fits(kept, inputs));
    const known = this.#plans[index];
    if (known !== undefined) {
      if (index > 0) this.#plans.unshift(...this.#plans.splice(index, 1));
      return known.plan;
    }
    const plan = this.#compile(inputs);
    const dims = inputs.map((input) => [...input.dims]);
    const values = inputs.map((input, i) => (this.#decides[i] ? input.data?.slice() : undefined));
    this.#plans.unshift({ plan, dims, values });
    if (this.#plans.length > (this.#later ? keptLaterPlans : keptPlans)) {
      const oldest = this.#plans.pop();
      if (oldest !== undefined) this.#native.releasePlan(oldest.plan.id);
    }
    return plan;
  }

  /**
   * Lets go of the model's weights, which its only plan has packed: no other will be compiled. Not where a plan is made
   * for values of inputs too.
   * @returns the constants that nothing needs any more
   */
  keepOnlyPlan(): Iterable<TensorData> {
    if (this.#decides.includes(true)) return [];
    const { constants } = this.#graph;
    this.#graph = { ...this.#graph, nodes: [], constants: new Map() };
    this.#store.forgetWeights();
    return constants.values();
  }

  #fits({ dims, values }: Kept, inputs: readonly PlanInput[]): boolean {
    return inputs.every((input, i) => {
      if (!equal(dims[i] as readonly number[], input.dims)) return false;
      const wanted = values[i];
      return wanted === undefined || (input.data !== undefined && equal(wanted, input.data));
    });
  }

  #compile(inputs: readonly PlanInput[]): LoadedPlan {
    const names = this.#graph.inputs.map(({ name }) => name);
    const dims = new Map(inputs.map((input, i) => [names[i] ?? '', input.dims]));
    for (;;) {
      const values = new Map<string, TensorData>();
      for (const [i, { type, dims: own, data }] of inputs.entries()) {
        if (!this.#decides[i] || data === undefined) continue;
        values.set(names[i] ?? '', { type, dims: own, bytes: new Uint8Array(data.slice().buffer) });
      }
      try {
        const { spec, ...plan } = compile(this.#graph, dims, this.#store, values);
        const steps = spec.steps.map(({ name, op }) => ({ name, op }));
        return { id: this.#native.createPlan(spec), steps, ...plan };
      } catch (error) {
        const needed = this.#neededBy(error).map((name) => names.indexOf(name));
        if (needed.length === 0 || needed.some((i) => inputs[i]?.data === undefined)) throw error;
        for (const i of needed) this.#decides[i] = true; // one more each time, so this ends
      }
    }
  }

  /** Inputs whose values are missing, where that is the error. */
  #neededBy(error: unknown): readonly string[] {
    if (error instanceof InputValuesNeeded) return error.inputs;
    return this.#later && error instanceof UnknownValueError ? [error.value] : [];
  }

  /** How each layer of a plan runs. */
  explain({ layers }: LoadedPlan): LayerExplanation[] {
    return layers.map((layer) =>
      explainLayer(layer, this.#store.contextOf(layer), this.#store.packedBytes(layer.weights)),
    );
  }
}

function equal(a: ArrayLike<number | bigint>, b: ArrayLike<number | bigint>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
