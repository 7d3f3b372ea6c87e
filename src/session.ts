import { availableParallelism } from 'node:os';
import { foldAffine } from './compile/fold_affine.js';
import { EspalierError } from './errors.js';
import { type LoadedModel, loadModel } from './esp/load.js';
import type { LayerExplanation } from './explain.js';
import type { Dim, Graph, ValueInfo } from './graph/graph.js';
import { InputValuesNeeded } from './graph/input_values.js';
import { findLayers } from './graph/layers.js';
import { UnknownValueError } from './graph/operators/definition.js';
import { assertSupported } from './graph/supported.js';
import { freeArrays, loadAddon, type NativeModelFile, type NativeSession } from './native/addon.js';
import { checkFeeds } from './session_feeds.js';
import { parseSessionOptions, type SessionOptions } from './session_options.js';
import { allocate, provideOutputs, type RunOptions, stageOutputs } from './session_outputs.js';
import type { LoadedPlan, PlanInput } from './session_plans.js';
import { SessionStages, type StageRun } from './session_stages.js';
import { type DataType, Tensor, type TensorMap } from './tensor.js';
import { makeTuner } from './tune/index.js';

/** Name, type and dims of an input or output; a symbolic dim is its name. */
export interface ValueMetadata {
  readonly name: string;
  readonly type: DataType;
  /** undefined when even the rank is unknown */
  readonly dims: readonly Dim[] | undefined;
}

/** How long one step of a plan took. */
export interface StepProfile {
  /** The node of the model; of fused ones that with the weights. */
  readonly name: string;
  /** The native operator. */
  readonly op: string;
  readonly milliseconds: number;
}

/**
 * A model ready to run. Sessions are independent of each other, in any number of worker threads; runs of one session
 * that overlap take turns. Vocabulary as in onnxruntime-common.
 */
export class InferenceSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly inputMetadata: readonly ValueMetadata[];
  readonly outputMetadata: readonly ValueMetadata[];
  /** The instruction set and the number of threads in use. */
  readonly isa: string;
  readonly threads: number;
  readonly #inputs: readonly ValueInfo[];
  readonly #native: NativeSession;
  readonly #file: NativeModelFile | undefined;
  readonly #stages: SessionStages;
  #released = false;

  private constructor({ graph, esp }: LoadedModel, options: SessionOptions) {
    const addon = loadAddon();
    const available = addon.availableIsas();
    const wanted = options.isa ?? (process.env['ESPALIER_ISA'] || 'auto');
    this.isa = wanted === 'auto' ? (available.at(-1) ?? 'scalar') : wanted;
    this.threads = options.threads ?? availableParallelism();
    this.#native = new addon.NativeSession(this.isa, this.threads, options.spin ?? 0);
    this.#file = esp?.file;
    if (esp !== undefined) this.#native.useFile(esp.file);
    this.#inputs = graph.inputs;
    const { isa, threads } = this;
    this.#stages = new SessionStages(graph, this.#native, {
      isa,
      storage: options.weightStorage ?? esp?.compiledFor.storage ?? 'float32',
      stored: esp?.stored,
      tuner:
        options.tune === 'load'
          ? makeTuner({ addon, isa, threads, layers: findLayers(graph).length, options })
          : undefined,
    });
    this.inputMetadata = graph.inputs.map(metadata);
    this.outputMetadata = graph.outputs.map(metadata);
    this.inputNames = graph.inputs.map(({ name }) => name);
    this.outputNames = graph.outputs.map(({ name }) => name);
  }

  /**
   * Loads a model, and compiles it at once when all its input dims are numbers and decide every shape.
   * @param model an ONNX file or a compiled one, or its bytes, which must not change while the session lives
   * @throws EspalierError ERR_ESPALIER_FILE, _MODEL, _UNSUPPORTED (one error that lists all operators), _ARGUMENT, _NATIVE
   */
  static async create(model: string | Uint8Array, options: SessionOptions = {}): Promise<InferenceSession> {
    const checked = parseSessionOptions(options);
    if (typeof model !== 'string' && !(model instanceof Uint8Array)) {
      throw new EspalierError(
        'ERR_ESPALIER_ARGUMENT',
        `Expected a model path or a Uint8Array, got ${typeof model}`,
      );
    }
    const loaded = await loadModel(model, { mapFile: checked.mapFile });
    return InferenceSession.#open(loaded, checked, typeof model === 'string' && loaded.esp === undefined);
  }

  /**
   * The same for a graph in memory, such as a pruned one that is no file yet.
   * @throws EspalierError ERR_ESPALIER_MODEL, _UNSUPPORTED, _ARGUMENT, _NATIVE
   */
  static fromGraph(graph: Graph, options: SessionOptions = {}): InferenceSession {
    const checked = parseSessionOptions(options);
    assertSupported(graph);
    return InferenceSession.#open({ graph: foldAffine(graph), esp: undefined }, checked);
  }

  static #open(model: LoadedModel, options: SessionOptions, ownsBytes = false): InferenceSession {
    const session = new InferenceSession(model, options);
    session.#compileWhereFixed(ownsBytes);
    return session;
  }

  /**
   * Runs the model on a thread of its own. The feeds are copied, so they may change at once; tensors given as outputs
   * may not until the promise settles.
   * @throws EspalierError (a rejection) ERR_ESPALIER_INPUT, _TYPE, _SHAPE, _ARGUMENT, _RELEASED
   */
  async run(feeds: TensorMap, options: RunOptions = {}): Promise<Record<string, Tensor>> {
    const tensors = this.#check(feeds);
    const copies = allocate(() =>
      tensors.map(({ type, data, dims }) => new Tensor(type, data.slice(), dims)),
    );
    let last = this.#stages.only(copies);
    if (last === undefined) {
      const runs = this.#stages.runs(copies);
      let run = runs.next();
      for (; run.done !== true; run = runs.next()) {
        const { plan, inputs, outputs } = run.value;
        await this.#native.run(plan.id, inputs, dataOf(outputs));
      }
      last = run.value;
    }
    const { plan, inputs } = last;
    const outputs = provideOutputs(plan, options, []);
    const { staged, deliver } =
      options.outputs === undefined ? { staged: outputs, deliver: undefined } : stageOutputs(plan, outputs);
    await this.#native.run(plan.id, inputs, dataOf(staged));
    freeArrays(...copies.map(({ data }) => data));
    deliver?.();
    return named(plan, outputs);
  }

  /** Runs the model on this thread, which it blocks until the outputs are there. Throws what `run` rejects with. */
  runSync(feeds: TensorMap, options: RunOptions = {}): Record<string, Tensor> {
    const { plan, inputs } = this.#last(feeds, (run) => this.#runSync(run));
    const outputs = provideOutputs(plan, options, inputs);
    this.#native.runSync(plan.id, inputs, dataOf(outputs));
    return named(plan, outputs);
  }

  /** Runs the model once on this thread and says how long each step took. */
  profile(feeds: TensorMap): StepProfile[] {
    const steps: StepProfile[] = [];
    const profile = ({ plan, inputs, outputs }: StageRun) => {
      const seconds = this.#native.profile(plan.id, inputs, dataOf(outputs));
      steps.push(...plan.steps.map((step, i) => ({ ...step, milliseconds: (seconds[i] ?? 0) * 1000 })));
    };
    const last = this.#last(feeds, profile);
    profile({ ...last, outputs: provideOutputs(last.plan, {}, last.inputs) });
    return steps;
  }

  /** How each layer with weights runs for these feeds' shapes: its zeros, its format, and what decided. */
  explain(feeds: TensorMap): LayerExplanation[] {
    const runs: StageRun[] = [];
    const last = this.#last(feeds, (run) => {
      runs.push(run);
      this.#runSync(run);
    });
    return [...runs, last].flatMap(({ plans, plan }) => plans.explain(plan));
  }

  /** Frees the model. Runs that have not ended reject, later ones throw ERR_ESPALIER_RELEASED. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#native.release();
    this.#file?.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  /** @param ownsBytes whether the model's bytes were read for this session alone */
  #compileWhereFixed(ownsBytes: boolean): void {
    const fixed: PlanInput[] = [];
    for (const { type, dims } of this.#inputs) {
      if (!dims?.every((dim) => typeof dim === 'number')) return;
      fixed.push({ type, dims });
    }
    try {
      this.#stages.whole.get(fixed);
      const unneeded = this.#stages.whole.keepOnlyPlan();
      if (ownsBytes) freeArrays(...[...unneeded].map(({ bytes }) => bytes));
    } catch (error) {
      // The first run has the values, or computes them.
      if (!(error instanceof InputValuesNeeded) && !(error instanceof UnknownValueError)) throw error;
    }
  }

  #check(feeds: TensorMap): Tensor[] {
    if (this.#released) throw new EspalierError('ERR_ESPALIER_RELEASED', 'The session was released');
    return checkFeeds(feeds, this.#inputs, this.inputNames);
  }

  /**
   * Runs all stages of the model but the last, which it gives.
   * @param perform runs one
   */
  #last(feeds: TensorMap, perform: (run: StageRun) => void): StageRun {
    const tensors = this.#check(feeds);
    const only = this.#stages.only(tensors);
    if (only !== undefined) return only;
    const runs = this.#stages.runs(tensors);
    let run = runs.next();
    for (; run.done !== true; run = runs.next()) perform(run.value);
    return run.value;
  }

  #runSync({ plan, inputs, outputs }: StageRun): void {
    this.#native.runSync(plan.id, inputs, dataOf(outputs));
  }
}

function metadata({ name, type, dims }: ValueInfo): ValueMetadata {
  return { name, type, dims };
}

function named(plan: LoadedPlan, outputs: readonly Tensor[]): Record<string, Tensor> {
  return Object.fromEntries(plan.outputs.map(({ name }, i) => [name, outputs[i] as Tensor]));
}

function dataOf(tensors: readonly Tensor[]): Tensor['data'][] {
  return tensors.map(({ data }) => data);
}
