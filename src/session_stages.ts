import { splitGraph } from './graph/cut.js';
import type { Graph } from './graph/graph.js';
import { UnknownValueError } from './graph/operators/definition.js';
import type { NativeSession } from './native/addon.js';
import { allocate, newTensor } from './session_outputs.js';
import { type LoadedPlan, SessionPlans } from './session_plans.js';
import { SessionStore, type StoreSettings } from './session_store.js';
import type { DataType, Tensor } from './tensor.js';

/** A plan with what it reads, and where it writes unless it is the last. */
export interface StageRun {
  readonly plan: LoadedPlan;
  readonly plans: SessionPlans;
  readonly inputs: readonly Tensor['data'][];
  readonly outputs: readonly Tensor[];
}

/** A part of the model; its plans are made of `graph` once the types of its inputs are known. */
interface Stage {
  graph: (typeOf: (value: string) => DataType) => Graph;
  made: { readonly graph: Graph; readonly plans: SessionPlans } | undefined;
  next: Stage | undefined;
}

/**
 * The plans of a session. A model is one stage, until some shape turns out to depend on a value that it computes, such
 * as which boxes are left over: it is then split behind that value, and the second stage is planned for what the first
 * one computed, in each run that computes something else.
 */
export class SessionStages {
  readonly #native: NativeSession;
  readonly #store: SessionStore;
  readonly #first: Stage;
  readonly #inputNames: readonly string[];
  /** The plans of the whole model. */
  readonly whole: SessionPlans;

  constructor(graph: Graph, native: NativeSession, settings: StoreSettings) {
    this.#native = native;
    this.#store = new SessionStore(graph, native, settings);
    this.whole = new SessionPlans(graph, native, this.#store);
    this.#inputNames = graph.inputs.map(({ name }) => name);
    this.#first = { graph: () => graph, made: { graph, plans: this.whole }, next: undefined };
  }

  /**
   * The plan where the model is one stage. Most are, and a run of a small one is too short for more than this.
   * @param feeds one for each input of the model, in order
   */
  only(feeds: readonly Tensor[]): StageRun | undefined {
    if (this.#first.next !== undefined) return undefined;
    const plans = this.whole;
    try {
      return { plan: plans.get(feeds), plans, inputs: feeds.map(({ data }) => data), outputs: [] };
    } catch (error) {
      if (error instanceof UnknownValueError) return undefined;
      throw error;
    }
  }

  /**
   * The runs that give the model's outputs, one after the other: the caller runs each that is yielded before it asks for
   * the next, and then the one that is returned.
   * @param feeds one for each input of the model, in order
   */
  *runs(feeds: readonly Tensor[]): Generator<StageRun, StageRun> {
    const values = new Map(feeds.map((feed, i) => [this.#inputNames[i] ?? '', feed]));
    for (let stage = this.#first; ; ) {
      const { plan, plans, inputs } = this.#planOf(stage, values);
      const { next } = stage; // as it is now: another run may split the stage while this one waits
      if (next === undefined) return { plan, plans, inputs, outputs: [] };
      const outputs = allocate(() => plan.outputs.map(newTensor));
      yield { plan, plans, inputs, outputs };
      for (const [i, { name }] of plan.outputs.entries()) values.set(name, outputs[i] as Tensor);
      stage = next;
    }
  }

  #planOf(stage: Stage, values: ReadonlyMap<string, Tensor>): Omit<StageRun, 'outputs'> {
    for (;;) {
      const { graph, plans } = this.#make(stage, values);
      const inputs = graph.inputs.map(({ name }) => values.get(name) as Tensor);
      try {
        return { plan: plans.get(inputs), plans, inputs: inputs.map(({ data }) => data) };
      } catch (error) {
        if (!(error instanceof UnknownValueError)) throw error;
        const parts = splitGraph(graph, error.value);
        if (parts === undefined) throw error;
        stage.next = { graph: parts.rest, made: undefined, next: stage.next };
        stage.graph = () => parts.first;
        stage.made = undefined;
      }
    }
  }

  #make(stage: Stage, values: ReadonlyMap<string, Tensor>) {
    if (stage.made !== undefined) return stage.made;
    const graph = stage.graph((value) => values.get(value)?.type ?? 'float32');
    const later = stage !== this.#first;
    stage.made = { graph, plans: new SessionPlans(graph, this.#native, this.#store, { later }) };
    return stage.made;
  }
}
