import { splitGraph } from './graph/cut.js';
import type { Graph } from './graph/graph.js';
import { type BranchName, ifAround, inlineBranch } from './graph/inline_branch.js';
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
  /** Inputs whose values its shapes depend on; undefined for the first stage. */
  readonly values: readonly string[] | undefined;
  made: { readonly graph: Graph; readonly plans: SessionPlans } | undefined;
  next: Stage | undefined;
  /** One of two stages takes its place, by the value of an input: with either branch in the place of an If. */
  choice?: { readonly condition: string; readonly branches: readonly [no: Stage, yes: Stage] };
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
    this.#first = {
      graph: () => graph,
      values: undefined,
      made: { graph, plans: this.whole },
      next: undefined,
    };
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
    for (let start = this.#first; ; ) {
      const { stage, plan, plans, inputs } = this.#planOf(start, values);
      const { next } = stage; // as it is now: another run may split the stage while this one waits
      if (next === undefined) return { plan, plans, inputs, outputs: [] };
      const outputs = allocate(() => plan.outputs.map(newTensor));
      yield { plan, plans, inputs, outputs };
      for (const [i, { name }] of plan.outputs.entries()) values.set(name, outputs[i] as Tensor);
      start = next;
    }
  }

  /** The plan of a stage, or of the one that takes its place. */
  #planOf(start: Stage, values: ReadonlyMap<string, Tensor>): Omit<StageRun, 'outputs'> & { stage: Stage } {
    for (let stage = start; ; ) {
      if (stage.choice !== undefined) {
        const { condition, branches } = stage.choice;
        stage = branches[values.get(condition)?.data[0] ? 1 : 0];
        continue;
      }
      const { graph, plans } = this.#make(stage, values);
      const inputs = graph.inputs.map(({ name }) => values.get(name) as Tensor);
      try {
        return { stage, plan: plans.get(inputs), plans, inputs: inputs.map(({ data }) => data) };
      } catch (error) {
        if (!(error instanceof UnknownValueError) || !this.#split(stage, graph, error.value)) throw error;
      }
    }
  }

  /** Makes two stages of one, so that the first computes the value; gives whether that can be. */
  #split(stage: Stage, graph: Graph, value: string): boolean {
    const node = ifAround(graph, value);
    const condition = node?.inputs[0] ?? '';
    if (node !== undefined && graph.inputs.some(({ name }) => name === condition)) {
      const { values, next } = stage;
      const branchOf = (name: BranchName): Stage => {
        const inlined = inlineBranch(graph, node, name);
        return { graph: () => inlined, values, made: undefined, next };
      };
      stage.choice = { condition, branches: [branchOf('else_branch'), branchOf('then_branch')] };
      return true;
    }
    const parts = splitGraph(graph, node === undefined ? value : condition);
    if (parts === undefined) return false;
    stage.next = { graph: parts.rest, values: parts.values, made: undefined, next: stage.next };
    stage.graph = () => parts.first;
    stage.made = undefined;
    return true;
  }

  #make(stage: Stage, values: ReadonlyMap<string, Tensor>) {
    if (stage.made !== undefined) return stage.made;
    const graph = stage.graph((value) => values.get(value)?.type ?? 'float32');
    const plans = new SessionPlans(graph, this.#native, this.#store, stage.values);
    stage.made = { graph, plans };
    return stage.made;
  }
}
